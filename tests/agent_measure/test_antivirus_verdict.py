"""Ages, keys, evidence and the table of antivirus products."""

from __future__ import annotations

from hatang_agent.probes._antivirus_products import PRODUCTS, by_driver, by_name, by_service
from hatang_agent.probes._antivirus_verdict import age_days, key_of, raw, without

NOW_MS = 1_795_161_600_000
DAY_MS = 86_400_000


def test_ages() -> None:
    """Whole days; a little ahead is today, far ahead is a wrong clock."""
    assert age_days(NOW_MS, NOW_MS - 3 * DAY_MS + 1) == 2
    assert age_days(NOW_MS, NOW_MS + DAY_MS // 2) == 0
    assert age_days(NOW_MS, NOW_MS + 2 * DAY_MS) is None
    assert age_days(NOW_MS, None) is None


def test_evidence_holds_nothing_personal() -> None:
    """Lines and words about people go, versions stay, and it is never longer than 500 characters."""
    text = (
        "Version: 12.1.0.1274\nUser: nguyen\nlicense issued to UBND\nsent to admin@xa.gov.vn from 10.1.2.3\n"
        "file /home/nguyen/a C:\\Users\\nguyen\\b id bdd30981-ec61-41fd-9f2f-6cd7438fea4b MAY01\x07"
    )
    shown = without("may01", raw(text))
    for secret in ("nguyen", "UBND", "@", "10.1.2.3", "bdd3", "MAY01", "\x07"):
        assert secret not in shown
    assert "12.1.0.1274" in shown
    assert len(raw("x, " * 900)) == 500
    assert without("pc", "pc may stay: too short") == "pc may stay: too short"
    assert without("clam", "clamav stays, clam goes") == "clamav stays, … goes"


def test_keys_are_stable() -> None:
    """Accents and version numbers make no other key; a name without letters still has one."""
    assert (
        key_of("Phần mềm Diệt Virus Đỏ 2026")
        == key_of("Phần mềm diệt virus đỏ 2027")
        == "phan_mem_diet_virus_do"
    )
    assert key_of("杀毒").startswith("product_")
    assert key_of("") == "unnamed"


def test_the_table_of_products() -> None:
    """Keys are unique, every row has a source, patterns compile and no product takes another's name."""
    assert len({one.key for one in PRODUCTS}) == len(PRODUCTS)
    for one in PRODUCTS:
        assert one.source
        assert by_name(one.name) is one
    for name, key in {
        "WinDefend": "microsoft_defender",
        "AVP21.3": "kaspersky",
        "SepMasterService": "symantec",
    }.items():
        found = by_service(name)
        assert found is not None
        assert found.key == key
    assert by_service("Spooler") is None
    assert by_driver("Ntfs") is None
