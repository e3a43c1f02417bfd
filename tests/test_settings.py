import dataclasses
import json
import math
import pathlib

import pytest
from absl import flags

from tfrec.errors import InputError
from tfrec.settings import (
    Settings,
    define_flags,
    from_flags,
    given_values,
    refuse_foreign_flags,
    setting,
)


@dataclasses.dataclass(frozen=True)
class Oven(Settings):
    heat: int = setting(180, "Heat in Celsius.", minimum=20, maximum=300)
    share: float = setting(0.5, "Part of the dough.", above=0, below=1)
    grain: str = setting("rye", "Flour.", choices=("rye", "wheat", "spelt"))
    steam: bool = setting(False, "Whether steam is used.")
    times: tuple[int, ...] = setting((5, 10), "Minutes of each stage.", above=0)
    names: tuple[str, ...] = setting((), "Who eats.")
    limit: int | None = setting(None, "Longest time in minutes.", minimum=1)

    def unused(self):
        return {} if self.steam else {"limit": "without `--steam`"}


@dataclasses.dataclass(frozen=True)
class Grill(Settings):
    heat: int = setting(250, "Heat in Celsius.", minimum=20)
    coal: str = setting("beech", "Fuel.")


@dataclasses.dataclass(frozen=True)
class Kettle(Settings):
    name: str = setting("", "Name of the kettle.", required=True)
    litres: float = setting(1.5, "Volume in litres.", above=0)


@dataclasses.dataclass(frozen=True)
class StoneOven(Oven):
    heat: int = 280
    stones: int = setting(4, "Stones.", minimum=1)


def parsed(*arguments, configs=(Oven, Grill, Kettle)):
    values = flags.FlagValues()
    define_flags(*configs, flag_values=values)
    values(["program", *arguments])
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heat": 19}, "`--heat` must be at least 20. Received: 19."),
        ({"heat": 301}, "`--heat` must be at most 300. Received: 301."),
        ({"heat": 20.5}, "`--heat` must be an integer. Received: 20.5."),
        ({"heat": "hot"}, "`--heat` must be a number. Received: 'hot'."),
        ({"heat": True}, "`--heat` must be a number. Received: True."),
        ({"heat": math.nan}, "`--heat` must be an integer. Received: nan."),
        ({"heat": math.inf}, "`--heat` must be an integer. Received: inf."),
        ({"share": 0}, "`--share` must be above 0. Received: 0."),
        ({"share": 1.0}, "`--share` must be below 1. Received: 1.0."),
        ({"share": math.nan}, "`--share` must be above 0. Received: nan."),
        ({"times": (5, 0)}, "`--times` must be above 0. Received: 0."),
        ({"times": (5, "x")}, "`--times` must be a number. Received: 'x'."),
        ({"times": 5}, "`--times` must be a list. Received: 5."),
        (
            {"times": ()},
            "`--times` must have one value at least. Received: none.",
        ),
        ({"heat": (5, 6)}, "`--heat` must be a number. Received: (5, 6)."),
        ({"names": "ada"}, "`--names` must be a list. Received: 'ada'."),
        ({"limit": 0}, "`--limit` must be at least 1. Received: 0."),
        (
            {"grain": "weat"},
            "`--grain` must be one of rye, wheat, spelt. Received: weat. "
            "Did you mean 'wheat'?",
        ),
    ],
)
def test_a_value_out_of_bounds_is_named(values, message):
    with pytest.raises(InputError) as error:
        Oven(**values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "values",
    [
        {"heat": 20},
        {"heat": 300},
        {"share": 0.999},
        {"limit": 1, "steam": True},
        {"times": (1,)},
    ],
)
def test_a_value_at_its_bound_is_taken(values):
    assert dataclasses.asdict(Oven(**values)).items() >= values.items()


def test_a_notebook_may_give_a_list():
    oven = Oven(times=[1, 2])
    assert oven == Oven(times=(1, 2))
    assert hash(oven) == hash(Oven(times=(1, 2)))


def test_a_notebook_may_give_a_path():
    assert Grill(coal=pathlib.Path("a", "b")) == Grill(coal="a/b")


def test_settings_survive_json():
    oven = Oven(heat=200, times=(1, 2), names=("ada",), limit=3, steam=True)
    text = json.dumps(oven.to_dict())
    assert Oven.from_dict(json.loads(text)) == oven
    assert json.loads(text)["times"] == [1, 2]


def test_an_unknown_name_in_json_suggests_the_nearest():
    with pytest.raises(InputError, match=r"'haet' for Oven\. Did you.*'heat'"):
        Oven.from_dict({"haet": 200})


def test_json_is_checked_like_everything_else():
    with pytest.raises(InputError, match="at most 300"):
        Oven.from_dict({"heat": 1000})


def test_flags_left_alone_give_the_defaults():
    values = parsed()
    assert from_flags(Oven, values) == Oven()
    assert from_flags(Grill, values) == Grill()


def test_only_what_was_given_is_a_given_value():
    values = parsed("--heat=180", "--nosteam")
    assert given_values(Oven, values) == {"heat": 180, "steam": False}


def test_flags_give_every_kind_of_setting():
    values = parsed(
        "--heat=200",
        "--share=0.25",
        "--grain=spelt",
        "--steam",
        "--times=1,2,3",
        "--names=ada,bo",
        "--limit=7",
    )
    assert from_flags(Oven, values) == Oven(
        heat=200,
        share=0.25,
        grain="spelt",
        steam=True,
        times=(1, 2, 3),
        names=("ada", "bo"),
        limit=7,
    )
    assert from_flags(Kettle, parsed("--litres=2", "--name=k")).litres == 2.0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--heat=5", "`--heat` must be at least 20"),
        ("--grain=ry", "Did you mean 'rye'"),
        ("--heat=hot", r"`--heat` must be an integer\. Received: 'hot'"),
        ("--heat=20.5", "`--heat` must be an integer"),
        ("--share=half", r"`--share` must be a number\. Received: 'half'"),
        ("--times=1,x", "must be a comma-separated list, each of it an int"),
        ("--times=1,0", "`--times` must be above 0"),
    ],
)
def test_a_bad_flag_is_named(argument, message):
    with pytest.raises(InputError, match=message):
        from_flags(Oven, parsed(argument))


def test_a_shared_flag_keeps_each_default():
    values = parsed()
    assert from_flags(Oven, values).heat == 180
    assert from_flags(Grill, values).heat == 250
    values = parsed("--heat=222")
    assert from_flags(Oven, values).heat == 222
    assert from_flags(Grill, values).heat == 222


def test_a_derived_configuration_has_defaults_of_its_own():
    assert (StoneOven().heat, Oven().heat, StoneOven().share) == (280, 180, 0.5)
    with pytest.raises(InputError, match="`--heat` must be at most 300"):
        StoneOven(heat=301)


@pytest.mark.parametrize("arguments", [[], ["--name="]])
def test_a_required_flag_must_be_given(arguments):
    with pytest.raises(InputError) as error:
        from_flags(Kettle, parsed(*arguments))
    assert str(error.value) == "`--name` must be given: name of the kettle."


def test_a_setting_that_means_nothing_beside_others_is_refused():
    with pytest.raises(InputError) as error:
        Oven(limit=3)
    assert str(error.value) == (
        "`--limit` means nothing without `--steam`. Remove it."
    )
    with pytest.raises(InputError, match="without `--steam`"):
        from_flags(Oven, parsed("--limit=3"))


def test_only_a_flag_is_refused_at_its_default():
    @dataclasses.dataclass(frozen=True)
    class Wick(Settings):
        oil: int = setting(3, "Oil in litres.")

        def unused(self):
            return {"oil": "with this wick"}

    assert Wick(oil=3) == from_flags(Wick, parsed(configs=[Wick]))
    with pytest.raises(InputError, match="`--oil` means nothing with this"):
        from_flags(Wick, parsed("--oil=3", configs=[Wick]))


def test_a_flag_of_another_configuration_is_refused():
    values = parsed("--litres=2")
    message = "`--litres` is a setting of Kettle and means nothing with --at=o"
    with pytest.raises(InputError, match=message):
        refuse_foreign_flags([Oven], [Oven, Grill, Kettle], "--at=o", values)


def test_of_many_configurations_with_a_flag_two_are_named():
    values = parsed("--coal=beech")
    message = "`--coal` is a setting of Grill, Grill and 2 more and means"
    with pytest.raises(InputError, match=message):
        refuse_foreign_flags([Oven], [Oven, *[Grill] * 4], "--at=o", values)


def test_a_flag_given_at_its_default_is_refused_as_well():
    values = parsed("--coal=beech")
    with pytest.raises(InputError, match="coal"):
        refuse_foreign_flags([Oven], [Oven, Grill, Kettle], "--at=o", values)


def test_a_shared_flag_is_not_foreign():
    values = parsed("--heat=222", "--litres=2")
    refuse_foreign_flags(
        [Oven, Kettle], [Oven, Grill, Kettle], "--at=o", values
    )


def test_flags_give_the_settings_that_they_are_of():
    oven = Oven(names=('a, "b"', "c d"), times=(3, 4))
    flags_of_it = oven.given_flags()
    assert "--times=3,4" in flags_of_it
    assert from_flags(Oven, parsed(*flags_of_it, configs=[Oven])) == oven
