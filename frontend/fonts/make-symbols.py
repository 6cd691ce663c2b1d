#!/usr/bin/env python3
"""
Makes the two files beside it: what programs in a terminal draw with and the web fonts of the page leave out, so that a screen looks
the same whatever fonts the viewer's system has. Run by hand when a symbol is missing; needs fonttools and brotli.

    make-symbols.py JetBrainsMono-Regular.ttf DejaVuSansMono.ttf
"""
import pathlib
import sys

from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

HERE = pathlib.Path(__file__).parent
UNITS = 1000
ADVANCE = 600  # a cell of JetBrains Mono
# Arrows, mathematics, technical, box drawing, blocks, shapes, miscellaneous, dingbats.
WANTED = [range(0x2190, 0x2200), range(0x2200, 0x2300), range(0x2300, 0x2400), range(0x2500, 0x2600),
          range(0x2600, 0x2670), range(0x26A0, 0x26A2), range(0x2700, 0x27C0), range(0x27F5, 0x27F7)]


def subset(path, codepoints):
    font = TTFont(path)
    options = Options(layout_features=[], hinting=False, name_IDs=[0, 1, 2, 4, 6, 13, 14], notdef_outline=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=codepoints)
    subsetter.subset(font)
    if font["head"].unitsPerEm != UNITS:
        scale_upem(font, UNITS)
    for name, (_, bearing) in font["hmtx"].metrics.items():
        font["hmtx"][name] = (ADVANCE, bearing)
    return font


def polygon(pen, points):
    pen.moveTo(points[0])
    for point in points[1:]:
        pen.lineTo(point)
    pen.closePath()


def box(pen, left, bottom, right, top):
    polygon(pen, [(left, bottom), (left, top), (right, top), (right, bottom)])


def frame(pen, left, bottom, right, top, thickness=50):
    box(pen, left, bottom, right, top)
    inner = [(left + thickness, bottom + thickness), (right - thickness, bottom + thickness),
             (right - thickness, top - thickness), (left + thickness, top - thickness)]
    polygon(pen, inner)  # the other way round, so that it is a hole


def disc(pen, x, y, radius):
    """Eight quadratic curves; TrueType outlines have no others."""
    k = 0.41421356
    points = [(1, 0), (1, k), (0.70711, 0.70711), (k, 1), (0, 1), (-k, 1), (-0.70711, 0.70711), (-1, k), (-1, 0), (-1, -k),
              (-0.70711, -0.70711), (-k, -1), (0, -1), (k, -1), (0.70711, -0.70711), (1, -k)]
    at = [(round(x + radius * a), round(y + radius * b)) for a, b in points]
    pen.moveTo(at[0])
    for index in range(14, -1, -2):
        pen.qCurveTo(at[index + 1], at[index])
    pen.closePath()


def braille(pen, bits):
    for bit, (column, row) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]):
        if bits >> bit & 1:
            disc(pen, 180 + 240 * column, 770 - 260 * row, 62)


def drawn():
    """Symbols that neither font has, and all of them simple."""
    shapes = {
        0x23BF: lambda pen: polygon(pen, [(240, 240), (240, 1020), (304, 1020), (304, 304), (560, 304), (560, 240)]),
        0x23F4: lambda pen: polygon(pen, [(460, 110), (140, 365), (460, 620)]),
        0x23F5: lambda pen: polygon(pen, [(140, 110), (140, 620), (460, 365)]),
        0x23F6: lambda pen: polygon(pen, [(70, 190), (300, 560), (530, 190)]),
        0x23F7: lambda pen: polygon(pen, [(70, 540), (530, 540), (300, 170)]),
        0x23F8: lambda pen: (box(pen, 130, 110, 240, 620), box(pen, 360, 110, 470, 620)),
        0x23F9: lambda pen: box(pen, 80, 145, 520, 585),
        0x23FA: lambda pen: disc(pen, 300, 365, 230),
        0x29C9: lambda pen: (frame(pen, 60, 90, 400, 430), frame(pen, 200, 300, 540, 640)),
    }
    shapes.update({0x2800 + bits: lambda pen, bits=bits: braille(pen, bits) for bits in range(256)})
    return shapes


def add_drawn(font):
    glyphs, metrics = font["glyf"], font["hmtx"]
    order = font.getGlyphOrder()
    for codepoint, draw in drawn().items():
        name = f"uni{codepoint:04X}"
        pen = TTGlyphPen(None)
        draw(pen)
        glyphs[name] = pen.glyph()
        metrics[name] = (ADVANCE, 0)
        if name not in order:
            order.append(name)
        for table in font["cmap"].tables:
            table.cmap[codepoint] = name
    font.setGlyphOrder(order)
    for name in order:
        glyphs[name].recalcBounds(glyphs)
        metrics[name] = (ADVANCE, getattr(glyphs[name], "xMin", 0))


def rename(font, family):
    for record in font["name"].names:
        if record.nameID in (1, 4, 6):
            record.string = family.replace(" ", "") if record.nameID == 6 else family


def save(font, name):
    font.flavor = "woff2"
    font.save(HERE / name)
    print(name, (HERE / name).stat().st_size, "bytes")


def ranges(codepoints):
    spans = []
    for codepoint in sorted(codepoints):
        if spans and codepoint == spans[-1][1] + 1:
            spans[-1][1] = codepoint
        else:
            spans.append([codepoint, codepoint])
    return ", ".join(f"U+{a:04X}" if a == b else f"U+{a:04X}-{b:04X}" for a, b in spans)


def main():
    first, second = sys.argv[1:3]
    wanted = {codepoint for span in WANTED for codepoint in span}
    # Its ornamental brackets are round, and prompts are drawn with the pointed ones.
    has = (set(TTFont(first).getBestCmap()) & wanted) - set(range(0x276E, 0x2772))
    text = subset(first, has)
    save(text, "jetbrains-mono-symbols.woff2")
    rest = (set(TTFont(second).getBestCmap()) & wanted) - has - set(drawn())
    more = subset(second, rest)
    add_drawn(more)
    rename(more, "SAC Symbols")
    save(more, "sac-symbols.woff2")
    print("jetbrains-mono-symbols:", ranges(has))
    print("sac-symbols:", ranges(rest | set(drawn())))


main()
