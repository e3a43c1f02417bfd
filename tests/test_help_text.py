import dataclasses
import re

from tfrec.help_text import describe, help_text, table
from tfrec.models.registry import MODELS, Entry
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class LoomConfig(Settings):
    yarn: str = setting("wool", "Yarn.", choices=("wool", "silk"))
    colours: tuple[str, ...] = setting(("red", "blue"), "Colours.")
    people: tuple[str, ...] = setting((), "Who weaves.")
    place: str = setting("", "Where. Empty: here.")
    owner: str = setting("", "Whose it is.", required=True)
    fast: bool = setting(False, "Whether it is fast.")


def test_a_setting_has_its_choices_and_its_default():
    assert [describe(field) for field in dataclasses.fields(LoomConfig)] == [
        "Yarn. One of: wool, silk. Default: wool.",
        "Colours. Default: red,blue.",
        "Who weaves. Default: none.",
        "Where. Empty: here.",
        "Whose it is. Must be given.",
        "Whether it is fast. Default: False.",
    ]


def test_help_has_the_description_the_settings_and_the_rest():
    text = help_text("\nA loom.\n", [LoomConfig], {}, None)
    assert text.startswith("A loom.\n\nLoom settings:\n\n  --yarn\n      Yarn.")
    assert "\n  --[no]fast\n" in text
    assert "\n\nOther:\n\n  --flagfile\n" in text
    assert "of the command line wins over those" in " ".join(text.split())
    assert "odel" not in text


def test_a_model_has_its_own_texts_and_defaults_and_no_others():
    text = help_text("", [LoomConfig], MODELS, "vaser")
    assert "VASER settings (Zhou et al., WWW'19: session VAE" in text
    assert "newest kept. Default: 30.\n" in text
    assert "  --flows\n" in text
    # A setting of SVAE.
    assert "--encoder_units" not in text
    assert "NAME is one of" not in text


def test_without_a_model_help_says_how_to_see_those_of_one():
    some = {name: MODELS[name] for name in ("vaser", "pop")}
    text = help_text("", [LoomConfig], some, None)
    assert "`--model=NAME --help`" in text
    assert re.findall(r"^ +([a-z]+)  ", text, re.MULTILINE) == [*some]
    assert "--dropout" not in text


def test_a_table_is_as_wide_as_its_names_and_no_wider_than_a_screen():
    entries = [
        Entry("one", "One", "Ada, 1843", "a model"),
        Entry("another", "Another", "", "with " + "many " * 20 + "words"),
    ]
    first, *rest = table(entries, indent=" ").splitlines()
    assert first == " one      a model (Ada, 1843)"
    assert rest[0].startswith(" another  with many")
    assert rest[1].startswith("          many")
    assert max(map(len, rest)) <= 78
