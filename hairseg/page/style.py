"""How the page looks, and its links."""

import json

import gradio as gr

from hairseg.recolouring.palette import PRESETS, parse_colour
from hairseg.repository import VARIANTS

FIRST_COLOUR = "copper"

FIRST_VARIANT = "pretrained"

SECOND_COLOUR = PRESETS["light blond"]

CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#title p { margin: 0; }
.picture { padding-top: 40px !important; }  /* the label stands above the picture, not on it */
.picture img { width: 100% !important; height: 100% !important; object-fit: contain !important; }  /* small photos too */
.swatches { display: grid !important; gap: 6px !important; grid-template-columns: repeat(7, 1fr); }
.swatches button { min-width: 0 !important; border: 1px solid #0003; }
@media (max-width: 640px) {
  #figure3 > #photo { order: -1; }
  .picture { height: 92vw !important; }
  .swatches { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
}
""" + "".join(
    f"#swatch-{name.replace(' ', '-')} {{ background: {colour}; "
    f"color: {'#fff' if sum(parse_colour(colour)) < 400 else '#111'}; }}\n"
    for name, colour in PRESETS.items()
)

LOOK = dict(
    css=CSS,
    footer_links=["api", "gradio"],
    # Gradio's default font would be fetched from the internet.
    theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
)

# The link of the page and the one that opens it with these settings; and the settings of the link that opened the page.
# A colour is a preset's name or rrggbb there. A page with a public link gives that one.
WRITE_LINKS = """(colour, variant, published) => {
    const presets = %s, parts = colour.match(/^rgba?\\(([\\d.]+), *([\\d.]+), *([\\d.]+)/);
    if (parts) colour = "#" + parts.slice(1).map(part => Math.round(part).toString(16).padStart(2, "0")).join("");
    const link = new URL(published || window.location.href), preset = Object.keys(presets).find(name => presets[name] === colour);
    link.search = "";
    const page = link.href;
    link.search = new URLSearchParams({colour: preset || colour.slice(1), variant});
    return [page, link.href];
}""" % json.dumps(PRESETS)

READ_LINK = """(colour, variant) => {
    const wanted = new URLSearchParams(window.location.search), presets = %s, variants = %s;
    const name = (wanted.get("colour") || "").toLowerCase();
    if (name in presets) colour = presets[name];
    if (/^#?[0-9a-f]{6}$/.test(name)) colour = "#" + name.replace("#", "");
    if (variants.includes(wanted.get("variant"))) variant = wanted.get("variant");
    return [colour, variant];
}""" % (json.dumps(PRESETS), json.dumps(VARIANTS))
