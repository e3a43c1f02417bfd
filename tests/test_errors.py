from tfrec.errors import InputError, nearest_names


def test_a_notebook_sees_a_value_error():
    assert issubclass(InputError, ValueError)


def test_a_message_is_one_line_whatever_it_quotes():
    error = InputError("`--x`: a\r\n\r\nb\u2028c\n")
    assert str(error) == "`--x`: a b c"


def test_of_a_long_message_the_ends_are_shown():
    error = str(InputError(f"`--x`: {'a' * 2000} b {'c' * 2000}. Remove it."))
    assert error.startswith("`--x`: aaa") and error.endswith("c. Remove it.")
    assert "a ... c" in error and len(error) == 2005


def test_near_names_are_suggested_nearest_first():
    known = ["batch_size", "max_length", "min_length"]
    assert nearest_names("bach_size", known) == " Did you mean 'batch_size'?"
    assert nearest_names("max_lenght", iter(known)) == (
        " Did you mean 'max_length' or 'min_length'?"
    )


def test_far_names_are_not_suggested():
    assert nearest_names("colour", ["batch_size"]) == ""
    assert nearest_names("colour", []) == ""
