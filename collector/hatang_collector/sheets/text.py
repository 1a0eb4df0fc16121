"""Text from files: made Unicode NFC, and refused when it is not Unicode at all.

Before Unicode, Vietnamese was typed in fonts that draw other letters (TCVN3: .VnTime, VNI: VNI-Times).
Such text survives copying as the wrong letters ("Hµ Néi", "Höông Hoøa"). It is recognised by pairs of
letters that no Vietnamese, English or French word has, and refused with the tool that converts it:
converting it here would guess.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

from hatang_collector.domain.folding import official
from hatang_collector.sheets.said import Refused, Said

LONGEST: Final = 1000

_UNICODE_VIETNAMESE: Final = re.compile(r"[ăđơưĂĐƠƯ\u1ea0-\u1ef9]")
_TCVN3: Final = re.compile(
    r"[A-Za-z][µ¸¶·¹¨©ª«¬»¼½¾][A-Za-z]|[A-Za-z][µ¸¶·¬¼½¾](?!\w)|(?<!\w)[®§][a-z¬©ªµ¸\xad]|[a-z]\xad[¬íêîïëµ]"
)
_VNI: Final = re.compile(
    r"[aeouyöôAEOUYÖÔ][øûØÛ]|(?<!\w)[ñÑ][aeouyöôAEOUYÖÔ]|[aouyöôAOUYÖÔ][ïÏõÕ](?!\w)|[öÖ][ôÔ]"
)
_TWICE: Final = re.compile(r"á[º»][\x80-\xbf\u0152-\u2122]|Æ[°¡]|Ä[‘\x91]|Ã[\xa0-\xbf]|â€")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_CONVERT: Final = Said(
    "chuyển sang Unicode (UniKey: Ctrl+Shift+F6, nguồn {0}, đích Unicode) rồi lưu lại",
    "convert it to Unicode (UniKey: Ctrl+Shift+F6, from {0} to Unicode) and save it again",
)
_AS_UTF8: Final = Said(
    "mở bằng Excel và lưu dạng .xlsx, hoặc “CSV UTF-8”",
    "open it in Excel and save it as .xlsx, or as “CSV UTF-8”",
)


def clean(text: str) -> str:
    """The text as it is kept: NFC, single spaces, no line breaks. Raises Refused for what is no text."""
    if text.isascii() and text.isprintable():
        kept = " ".join(text.split())
    else:
        kept = official(_CONTROLS.sub("", text))
        _refuse_legacy(kept)
    if len(kept) > LONGEST:
        raise Refused(
            Said(
                f"dài {len(kept)} ký tự, nhiều nhất là {LONGEST}",
                f"has {len(kept)} letters, at most {LONGEST}",
            ),
            Said("rút ngắn", "shorten it"),
        )
    return kept


def decode(content: bytes) -> str:
    """The text of a CSV file: UTF-8 or UTF-16, with or without a mark. Raises Refused for any other."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _strictly(content, encoding)
    start = content[:4096]
    if start.count(0) > len(start) // 5:
        high_first = start[::2].count(0) > start[1::2].count(0)
        return _strictly(content, "utf-16-be" if high_first else "utf-16-le")
    return _strictly(content, "utf-8")


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(content, error.start) from None
    if "\x00" in text:
        raise Refused(Said("không phải tệp văn bản", "is no text file"), _AS_UTF8)
    return text


def _wrong_encoding(content: bytes, at: int) -> Refused:
    line = content.count(b"\n", 0, at) + 1
    legacy = _legacy(content.decode("latin-1"))
    if legacy:
        return _legacy_refused(legacy)
    return Refused(
        Said(
            f"không phải UTF-8 (dòng {line}), có lẽ là bảng mã Windows-1258 hoặc bảng mã cũ khác",
            f"is not UTF-8 (line {line}), perhaps Windows-1258 or another old encoding",
        ),
        _AS_UTF8,
    )


def _refuse_legacy(text: str) -> None:
    if "\ufffd" in text or _TWICE.search(text):
        raise Refused(
            Said(
                f"chữ đã hỏng do mở sai bảng mã: “{_short(text)}”",
                f"was opened in a wrong encoding: “{_short(text)}”",
            ),
            Said("mở lại tệp gốc với bảng mã UTF-8 rồi lưu", "open the original as UTF-8 and save it again"),
        )
    legacy = _legacy(text)
    if legacy:
        refused = _legacy_refused(legacy)
        raise Refused(
            Said(f"“{_short(text)}” {refused.cause.vi}", f"“{_short(text)}” {refused.cause.en}"),
            refused.next_step,
        )


def _legacy(text: str) -> str:
    """The old font encoding a text is in, '' when it seems to be Unicode."""
    if _UNICODE_VIETNAMESE.search(text):
        return ""
    if _TCVN3.search(text):
        return "TCVN3 (ABC)"
    return "VNI Windows" if _VNI.search(text) else ""


def _legacy_refused(encoding: str) -> Refused:
    return Refused(
        Said(f"là chữ {encoding}, không phải Unicode", f"is {encoding} text, not Unicode"),
        Said(_CONVERT.vi.format(encoding), _CONVERT.en.format(encoding)),
    )


def _short(text: str) -> str:
    text = "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in text)
    return text if len(text) <= 40 else text[:39] + "…"
