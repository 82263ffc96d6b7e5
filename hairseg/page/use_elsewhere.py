"""The tab "Use it elsewhere": links, and the endpoints from Python, a shell and an assistant."""

import json
import shlex
from typing import Any

import gradio as gr

from hairseg.page.models import Model, Models

ADDRESS = "http://127.0.0.1:7860"  # in the examples, until a browser asks for the page by its own

FROM_PYTHON = f"""from gradio_client import Client, handle_file

client, photo = Client("{ADDRESS}"), handle_file("selfie.jpg")
random_alpha, pretrained_alpha = client.predict(photo, MODELapi_name="/segment")
recoloured = client.predict(photo, "#8e24aa", 0.9, "pretrained", MODELapi_name="/recolour")
"""

FROM_SHELL = f"""PAGE={ADDRESS}
FILE=$(curl -s -F files=@selfie.jpg $PAGE/gradio_api/upload | tr -d '[]"')
PHOTO="{{\\"path\\": \\"$FILE\\", \\"meta\\": {{\\"_type\\": \\"gradio.FileData\\"}}}}"
SETTINGS=SETTINGS_AND_MODEL
EVENT=$(curl -s -H "Content-Type: application/json" -d "{{\\"data\\": [$PHOTO, $SETTINGS]}}" \\
    $PAGE/gradio_api/call/recolour | cut -d'"' -f4)
curl -s -N $PAGE/gradio_api/call/recolour/$EVENT
"""

SETTINGS = ["copper", 1, "pretrained", 0, 0, 0, "none", "black"]

LIBRARY = """import hairseg

photo = hairseg.load_photo("selfie.jpg")
alpha = hairseg.HairPredictor.from_pretrained(REPO).alphas(photo)["pretrained"]
dyed = hairseg.recolour(photo, alpha, "copper")
"""


def from_python(model: str | None) -> str:
    """Code for gradio_client; None: without a model's name."""
    return FROM_PYTHON.replace("MODEL", f"model={json.dumps(model)}, " if model is not None else "")


def from_shell(model: str | None) -> str:
    """A script for curl; None: without a model's name."""
    settings = json.dumps([*SETTINGS, *([] if model is None else [model])])[1:-1]
    return FROM_SHELL.replace("SETTINGS_AND_MODEL", shlex.quote(settings))


def library(model: Model) -> str:
    """Code for `import hairseg` without the page. A folder of this server's is named, not where it lies."""
    return LIBRARY.replace("REPO", json.dumps(model.name) if model.source else "")


def examples_of(models: Models, name: str | None, address: str = ADDRESS) -> list[str]:
    """What the boxes of code hold while that model is chosen: it is named where there are several."""
    model = models.known(name)
    named = model.name if len(models.names) > 1 else None
    return [code.replace(ADDRESS, address) for code in (from_python(named), from_shell(named), library(model))]


def use_elsewhere(models: Models) -> tuple[list[gr.Textbox], list[gr.Code]]:
    """Build the tab. Returns the boxes of both links, which links.js fills, and those of `examples_of`."""
    python, shell, package = examples_of(models, None)
    with gr.Row():
        page_link = gr.Textbox(label="Link to this page", elem_id="page-link", interactive=False, buttons=["copy"])
        link = gr.Textbox(
            label="Link to this page with all that is chosen for the hair",
            elem_id="link",
            interactive=False,
            buttons=["copy"],
        )
    fixed: dict[str, Any] = {"interactive": False}
    gr.Markdown("## From Python, with `pip install gradio_client`")
    from_python_ = gr.Code(python, language="python", elem_id="from-python", label="gradio_client", **fixed)
    gr.Markdown("## From a shell; the last line names the file of the result")
    from_shell_ = gr.Code(shell, language="shell", elem_id="from-shell", label="curl", **fixed)
    gr.Markdown("## Without this page, on a machine of your own, with `pip install` of the code")
    library_ = gr.Code(package, language="python", elem_id="library", label="hairseg", **fixed)
    gr.Markdown(
        "An assistant can use both endpoints as tools, if the page was started with `--mcp`: "
        "the address of the server is that of the page, followed by `gradio_api/mcp/`."
    )
    return [page_link, link], [from_python_, from_shell_, library_]
