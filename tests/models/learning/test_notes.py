from models.learning.notes import counted_notes


def test_each_sentence_comes_once_with_the_fits_that_said_it():
    said = ["b happened.", "a happened.", "b happened."]
    assert counted_notes(said, 10) == [
        "In 2 of 10 fits: b happened.",
        "In 1 of 10 fits: a happened.",
    ]
    assert counted_notes(["a happened."], 1) == ["a happened."]
    assert counted_notes([], 10) == []
