"""How an epoch's rows are divided into minibatches."""

from grad_ext.engine.batches import minibatches


def sizes(*arguments, **options):
    return [rows.stop - rows.start for rows in minibatches(*arguments, **options)]


def test_minibatches_have_multiples_of_the_given_number_of_rows():
    assert sizes(640, 100, multiple=32, least=1) == [96, 96, 128] * 2
    assert sizes(31, 100, multiple=32, least=1) == [31]
    assert sizes(70, 1000, multiple=32, least=1) == [64]
    assert sizes(70, 1000, multiple=16, least=1) == [64]
    assert sizes(100, 32, multiple=16) == [16] * 6


def test_small_data_have_at_least_so_many_minibatches():
    assert sizes(640, 256) == [80] * 8
    assert sizes(640, 256, least=4) == [160] * 4
    assert sizes(640, 64) == [64] * 10
