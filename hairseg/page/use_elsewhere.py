"""The tab "Use it elsewhere": links, and the endpoints from Python, a shell and an assistant."""

from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from hairseg.hub.resolution import Resolved

ADDRESS = "http://127.0.0.1:7860"  # in the examples, until the browser knows the page's own

FROM_PYTHON = f"""from gradio_client import Client, handle_file

client, photo = Client("{ADDRESS}"), handle_file("selfie.jpg")
random_alpha, pretrained_alpha = client.predict(photo, api_name="/segment")
recoloured = client.predict(photo, "#8e24aa", 0.9, "pretrained", api_name="/recolour")
"""

FROM_SHELL = f"""PAGE={ADDRESS}
FILE=$(curl -s -F files=@selfie.jpg $PAGE/gradio_api/upload | tr -d '[]"')
PHOTO="{{\\"path\\": \\"$FILE\\", \\"meta\\": {{\\"_type\\": \\"gradio.FileData\\"}}}}"
SETTINGS='"copper", 1, "pretrained", 0, 0, 0, "none", "black"'
EVENT=$(curl -s -H "Content-Type: application/json" -d "{{\\"data\\": [$PHOTO, $SETTINGS]}}" \\
    $PAGE/gradio_api/call/recolour | cut -d'"' -f4)
curl -s -N $PAGE/gradio_api/call/recolour/$EVENT
"""

LIBRARY = """import hairseg

photo = hairseg.load_photo("selfie.jpg")
alpha = hairseg.HairPredictor.from_pretrained({repo}).alphas(photo)["pretrained"]
dyed = hairseg.recolour(photo, alpha, "copper")
"""


def use_elsewhere(source: "Resolved | None") -> tuple[gr.Textbox, gr.Textbox]:
    """Build the tab. Returns the boxes of both links, which page.js fills."""
    with gr.Row():
        page_link = gr.Textbox(label="Link to this page", elem_id="page-link", interactive=False, buttons=["copy"])
        link = gr.Textbox(
            label="Link to this page with this colour, mask and strength",
            elem_id="link",
            interactive=False,
            buttons=["copy"],
        )
    gr.Markdown("## From Python, with `pip install gradio_client`")
    gr.Code(FROM_PYTHON, language="python", interactive=False, elem_id="from-python", label="gradio_client")
    gr.Markdown("## From a shell; the last line names the file of the result")
    gr.Code(FROM_SHELL, language="shell", interactive=False, elem_id="from-shell", label="curl")
    gr.Markdown("## Without this page, on a machine of your own, with `pip install` of the code")
    repo = f'"{source.repo_id}"' if source and source.repo_id else ""
    gr.Code(LIBRARY.format(repo=repo), language="python", interactive=False, elem_id="library", label="hairseg")
    gr.Markdown(
        "An assistant can use both endpoints as tools, if the page was started with `--mcp`: "
        "the address of the server is that of the page, followed by `gradio_api/mcp/`."
    )
    return page_link, link
