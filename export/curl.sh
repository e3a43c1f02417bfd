#!/usr/bin/env bash
# Asks TensorFlow Serving for recommendations over REST: examples to copy.
#
#     export/curl.sh localhost:8501 acvae salsa-001 bluegrass-015
#
# The ids are those of your data; these two are in the quickstart's. Unknown ones
# are skipped, and without a known one the most popular items are the answer.
set -euo pipefail
url="http://${1:-localhost:8501}/v1/models/${2:-acvae}"
first=${3:-salsa-001} second=${4:-bluegrass-015}

# Rows: one history in each. The rows of a request are equally long: fill the
# shorter ones with "".
curl --fail-with-body --silent --show-error "$url:predict" --data "{
    \"instances\": [[\"$first\", \"$second\"], [\"$second\", \"\"]]}"
echo

# Columns, another signature: how probable are these items? One that the model
# does not know has the score -3.4e38, the least that float32 holds.
curl --fail-with-body --silent --show-error "$url:predict" --data "{
    \"signature_name\": \"score\",
    \"inputs\": {\"history\": [[\"$first\"]],
        \"candidates\": [[\"$first\", \"$second\"]]}}"
echo

# Which versions are there, and are they ready?
curl --fail-with-body --silent --show-error "$url"
