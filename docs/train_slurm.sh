#!/bin/bash
# Training on four machines with Slurm.
#
#     sbatch docs/train_slurm.sh --flagfile=train.flags \
#         --data_dir=/shared/prepared --run_dir=/shared/runs/first
#
# Flags are those of `python -m tfrec.train`. The data set must have been
# prepared, on a disk that all machines have. Run where tfrec is installed.
#SBATCH --job-name=tfrec
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=12:00:00
# 5 minutes before the time is up every worker gets SIGTERM, and saves.
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -u

# Workers that were stopped end with 130, one after the other: the first must not
# get the others killed. Those left a minute later hang, and are. Since Slurm
# 22.05 srun does not inherit --cpus-per-task.
# shellcheck disable=SC2016
srun --kill-on-bad-exit=0 --wait=60 --cpus-per-task="$SLURM_CPUS_PER_TASK" bash -euc '
  hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:2222\"/" | paste -sd,)
  task="{\"type\": \"worker\", \"index\": $SLURM_PROCID}"
  export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]}, \"task\": $task}"
  exec python -m tfrec.train "$@" --verbose=line
' bash "$@"
code=$?
# Stopped by a signal and saved: once more, from there.
if [[ $code == 130 ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
