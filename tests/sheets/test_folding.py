"""Spellings of one name have one key, and two places keep two."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.folding import bare, folded, official, only_the_tone_moved

LETTERS = "aăâbcdđeêghiklmnoôơpqrstuưvxyàáảãạòóỏõọùúủũụỳýỷỹỵờộếHÒĐ "


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UBND xã Hương Hoà", "UBND xã Hương Hòa"),
        ("Thuỷ Xuân", "thủy xuân"),
        ("XÃ QUẢNG THỌ", "Xã Quảng Thọ"),
        ("Huế", unicodedata.normalize("NFD", "Huế")),
        ("Mỹ Lý", "Mĩ Lí"),
        ("Quý", "Quí"),
        ("Quỳnh Lưu", "Quình Lưu"),
        ("Đông Hà", "Ðông Hà"),
        ("Phòng  Kinh tế - Hạ tầng ", "Phòng Kinh tế–Hạ tầng"),
        ("Phòng Lao động,TBXH", "Phòng Lao động, TBXH"),
        ("khoẻ", "khỏe"),
        ("Khe\u00a0Tre", "Khe Tre"),
    ],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    """Capitals, tone place, i and y, letters that look like đ, spaces, dashes, Unicode forms."""
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hương Hòa", "Hương Hóa"),
        ("Hương Hòa", "Hương Hoa"),
        ("Máy", "Mái"),
        ("Thủy", "Thủi"),
        ("Tây", "Tâi"),
        ("UBND xã Khe Tre", "Khe Tre"),
        ("Hương Sơn", "Hương Son"),
    ],
)
def test_other_names_stay_others(one: str, other: str) -> None:
    """A tone, a vowel and a word make a difference."""
    assert folded(one) != folded(other)


@given(st.text(LETTERS, max_size=20))
def test_a_key_is_its_own_key(text: str) -> None:
    """Folding twice is folding once, and the official form has the key of what was written."""
    assert folded(folded(text)) == folded(text)
    assert folded(official(text)) == folded(text)
    assert folded(unicodedata.normalize("NFD", text)) == folded(text)
    assert bare(folded(text)) == bare(text)


@pytest.mark.parametrize(
    ("one", "other", "moved"),
    [
        ("Hương Hoà", "Hương Hòa", True),
        ("Hương Hòa", "Hương Hòa", False),
        ("Hương Hoà", "hương Hòa", False),
        ("Hương Hoá", "Hương Hòa", False),
        ("Thuỷ  Bằng", "Thủy Bằng", True),
    ],
)
def test_a_moved_tone_is_told_from_other_slips(one: str, other: str, moved: bool) -> None:
    """Only the place of a tone mark counts."""
    assert only_the_tone_moved(one, other) is moved
