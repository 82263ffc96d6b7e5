"""The tab "Use it elsewhere": code that calls the endpoints from Python and a shell, and uses the library."""

import json
import shlex
from typing import Any

import gradio as gr

from hairseg.page.registry import ModelRegistry, ServedModel

PLACEHOLDER_ADDRESS = "http://127.0.0.1:7860"  # replaced by the address of the browser's request

FROM_PYTHON = f"""from gradio_client import Client, handle_file

client, photo = Client("{PLACEHOLDER_ADDRESS}"), handle_file("selfie.jpg")
random_alpha, pretrained_alpha = client.predict(photo, MODELapi_name="/segment")
recoloured = client.predict(photo, "#8e24aa", 0.9, "pretrained", MODELapi_name="/recolour")
"""

FROM_SHELL = f"""PAGE={PLACEHOLDER_ADDRESS}
FILE=$(curl -s -F files=@selfie.jpg $PAGE/gradio_api/upload | tr -d '[]"')
PHOTO="{{\\"path\\": \\"$FILE\\", \\"meta\\": {{\\"_type\\": \\"gradio.FileData\\"}}}}"
SETTINGS=SETTINGS_AND_MODEL
EVENT=$(curl -s -H "Content-Type: application/json" -d "{{\\"data\\": [$PHOTO, $SETTINGS]}}" \\
    $PAGE/gradio_api/call/recolour | cut -d'"' -f4)
curl -s -N $PAGE/gradio_api/call/recolour/$EVENT
"""

SETTINGS = ["copper", 1, "pretrained", 0, 0, 0, "none", "black"]

FROM_LIBRARY = """import hairseg

photo = hairseg.load_photo("selfie.jpg")
alpha = hairseg.HairPredictor.from_pretrained(REPO).alphas(photo)["pretrained"]
dyed = hairseg.recolour(photo, alpha, "copper")
"""


def from_python(model: str | None) -> str:
    """Return code for gradio_client. A model of None is not named."""
    return FROM_PYTHON.replace("MODEL", f"model={json.dumps(model)}, " if model is not None else "")


def from_shell(model: str | None) -> str:
    """Return a script for curl. A model of None is not named."""
    settings = json.dumps([*SETTINGS, *([] if model is None else [model])])[1:-1]
    return FROM_SHELL.replace("SETTINGS_AND_MODEL", shlex.quote(settings))


def from_library(model: ServedModel) -> str:
    """Return code for `import hairseg`. A folder is shown by name, without its path on the server."""
    return FROM_LIBRARY.replace("REPO", json.dumps(model.name) if model.source else "")


def render_examples(models: ModelRegistry, name: str | None, address: str = PLACEHOLDER_ADDRESS) -> list[str]:
    """Return the code of the three boxes for a model.

    Args:
        models: The models of the page. The code names the model if there are several.
        name: Name of the chosen model; None for the default.
        address: Address of the page.
    """
    model = models.find(name)
    named = model.name if len(models.names) > 1 else None
    return [
        code.replace(PLACEHOLDER_ADDRESS, address)
        for code in (from_python(named), from_shell(named), from_library(model))
    ]


def build_elsewhere(models: ModelRegistry) -> list[gr.Code]:
    """Build the tab.

    Returns:
        The boxes that show the values of `render_examples`, in the same order.
    """
    python, shell, package = render_examples(models, None)
    options: dict[str, Any] = {"interactive": False, "wrap_lines": True}  # boxes that scroll would have to be focusable
    gr.Markdown("## From Python, with `pip install gradio_client`")
    from_python_box = gr.Code(python, language="python", elem_id="from-python", label="gradio_client", **options)
    gr.Markdown("## With curl (the last line is the URL of the result)")
    from_shell_box = gr.Code(shell, language="shell", elem_id="from-shell", label="curl", **options)
    gr.Markdown("## In your own Python")
    library_box = gr.Code(package, language="python", elem_id="from_library", label="hairseg", **options)
    gr.Markdown(
        "Assistants can use both endpoints as MCP tools if the page was started with `--mcp`. The server's address is "
        "the page's, followed by `gradio_api/mcp/`."
    )
    return [from_python_box, from_shell_box, library_box]
