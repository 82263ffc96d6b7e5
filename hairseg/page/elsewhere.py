"""The tab "Use it elsewhere": the endpoints from Python, a shell and an assistant."""

import json
import shlex
from typing import Any

import gradio as gr

from hairseg.page.registry import ModelRegistry, ServedModel

ADDRESS = "http://127.0.0.1:7860"  # in the examples, until a browser's request tells the page's address

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
    """Return code for gradio_client, with the model's name if there are several."""
    return FROM_PYTHON.replace("MODEL", f"model={json.dumps(model)}, " if model is not None else "")


def from_shell(model: str | None) -> str:
    """Return a script for curl, with the model's name if there are several."""
    settings = json.dumps([*SETTINGS, *([] if model is None else [model])])[1:-1]
    return FROM_SHELL.replace("SETTINGS_AND_MODEL", shlex.quote(settings))


def library(model: ServedModel) -> str:
    """Return code for `import hairseg`. Of a folder only its name is shown, not its path on the server."""
    return LIBRARY.replace("REPO", json.dumps(model.name) if model.source else "")


def code_examples(models: ModelRegistry, name: str | None, address: str = ADDRESS) -> list[str]:
    """Return the code of the three boxes while that model is chosen."""
    model = models.find(name)
    named = model.name if len(models.names) > 1 else None
    return [code.replace(ADDRESS, address) for code in (from_python(named), from_shell(named), library(model))]


def build_elsewhere(models: ModelRegistry) -> list[gr.Code]:
    """Build the tab. Returns the boxes that `code_examples` fills."""
    python, shell, package = code_examples(models, None)
    options: dict[str, Any] = {"interactive": False}
    gr.Markdown("## From Python, with `pip install gradio_client`")
    from_python_box = gr.Code(python, language="python", elem_id="from-python", label="gradio_client", **options)
    gr.Markdown("## With curl (the last line is the URL of the result)")
    from_shell_box = gr.Code(shell, language="shell", elem_id="from-shell", label="curl", **options)
    gr.Markdown("## In your own Python")
    library_box = gr.Code(package, language="python", elem_id="library", label="hairseg", **options)
    gr.Markdown(
        "Assistants can use both endpoints as MCP tools if the page was started with `--mcp`. The server's address is "
        "the page's, followed by `gradio_api/mcp/`."
    )
    return [from_python_box, from_shell_box, library_box]
