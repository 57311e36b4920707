"""What each super-resolved image comes to, on one card each, as HTML."""

import html

from marsgan_tf.assessment import html_tables, report_summary
from marsgan_tf.assessment.findings import Findings
from marsgan_tf.assessment.honesty import CLASSES
from marsgan_tf.assessment.honesty_maps import HonestyTotals
from marsgan_tf.assessment.pictures import CLASS_COLOURS
from marsgan_tf.assessment.report_summary import ImageSummary

_WORDS = dict(zip(CLASSES, ("found", "missed", "invented"), strict=True))
# Of the bar; less has no room for words.
_LEAST_TOLD = 0.24
_INK = dict(zip(CLASSES, ("#fff", "#000", "#fff"), strict=True))


def cards(found: Findings) -> str:
    """What each super-resolved image comes to."""
    made = [_card(one) for one in report_summary.summarise(found)]
    return f'<div class="cards">{"".join(made)}</div>' if made else ""


def legend() -> str:
    """The colours of the classes."""
    return "".join(
        f'<span class="key" style="background:{CLASS_COLOURS[name]}"></span>'
        f"{_WORDS[name]}"
        for name in CLASSES
    )


def _card(one: ImageSummary) -> str:
    rows = []

    def add(label: str, value: str, more: str = "") -> None:
        rows.append(f"<dt>{label}</dt><dd><b>{value}</b> {more}</dd>")

    if one.psnr_db is not None:
        add(
            "PSNR",
            f"{html_tables.text(one.psnr_db, 2)} dB",
            _gain(one.psnr_gain_db, 2),
        )
    if one.mssim is not None:
        add("MSSIM", html_tables.text(one.mssim, 3), _gain(one.mssim_gain, 3))
    natural = [
        f"{label} {html_tables.text(value, 1)}"
        for label, value in (("PIQE", one.piqe), ("BRISQUE", one.brisque))
        if value is not None
    ]
    if natural:
        add("Naturalness", ", ".join(natural))
    if one.sharpness is not None:
        sharp = one.sharpness
        spread = f"&plusmn; {sharp.deviation:.2f}, " if sharp.count > 1 else ""
        edges = f"{sharp.count} edge{'s' if sharp.count > 1 else ''}"
        factor = f"{html_tables.text(sharp.mean, 2)} times"
        add("Edges sharper", factor, f"({spread}{edges})")
    if one.residual is not None:
        add("Residual", f"{100 * one.residual.rms:.2f} %", "rms, of the range")
    bar = _share_bar(one.honesty) if one.honesty is not None else ""
    if bar:
        rows.append(f"<dt>Detail</dt><dd>{bar}</dd>")
    return (
        f'<div class="card"><h3>{html.escape(one.image)}</h3>'
        f"<dl>{''.join(rows)}</dl></div>"
    )


def _gain(value: float | None, decimals: int) -> str:
    if value is None:
        return ""
    sign = "+" if value >= 0 else ""
    return f"({sign}{html_tables.text(value, decimals)} over input)"


def _share_bar(one: HonestyTotals) -> str:
    shares = {name: getattr(one, name) for name in CLASSES}
    if one.counted == 0 or any(share != share for share in shares.values()):
        return ""
    spans = "".join(
        f'<span style="width:{100 * share:.2f}%;background:'
        f'{CLASS_COLOURS[name]};color:{_INK[name]}" '
        f'title="{_WORDS[name]} {100 * share:.1f} %">'
        f"{_told(name, share)}</span>"
        for name, share in shares.items()
    )
    return f'<div class="share">{spans}</div>'


def _told(name: str, share: float) -> str:
    """What fits into a part of the bar."""
    if share < _LEAST_TOLD:
        return ""
    return f"{_WORDS[name]} {100 * share:.0f}&nbsp;%"
