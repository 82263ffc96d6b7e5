"""`hairseg hub`: model repositories on the Hugging Face Hub, and the Space that shows them."""

from pathlib import Path
from typing import Annotated

import typer

from hairseg.cli.options import MultiValueCommand
from hairseg.environment import env
from hairseg.errors import InputError, quote

app = typer.Typer(rich_markup_mode=None, help="Push, pull and show model repositories on the Hugging Face Hub.")

Private = Annotated[bool, typer.Option("--private", help="Make it visible to you alone.")]


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Model repository.")],
    repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="Where to push it.")],
    private: Private = False,
    overwrite_card: Annotated[
        bool, typer.Option("--overwrite-card", help="Replace a model card that was edited on the Hub.")
    ] = False,
    allow_regression: Annotated[
        bool, typer.Option("--allow-regression", help="Push even if the scores are worse than those of the last tag.")
    ] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Export to ONNX first, for use without this package.")] = False,
) -> None:
    """Push a model repository in one commit, and tag it.

    \b
    Example:
      hairseg hub push runs/resnet101-paper USER/NAME --private
    """
    from hairseg.hub.publish import push as push_to_hub

    if onnx:
        _export(folder)
    pushed = push_to_hub(
        folder, repo, private=private, overwrite_card=overwrite_card, allow_regression=allow_regression
    )
    if pushed.card_kept:
        print("The model card was edited on the Hub and is kept. Replace it with --overwrite-card.")
    print(f"pushed: {pushed.url} (tag {pushed.tag})")


@app.command()
def pull(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="USER/NAME or USER/NAME@REVISION.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="New folder for a copy; by default only the Hub's cache.")
    ] = None,
) -> None:
    """Download a model repository for offline use.

    \b
    Example:
      hairseg hub pull USER/NAME@REVISION --output models/name
    """
    from hairseg.hub.resolve import pull as pull_from_hub

    pulled = pull_from_hub(repo, output)
    print(f"pulled: {pulled}, in {pulled.folder}")


@app.command()
def log(repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="Model repository.")]) -> None:
    """List the tags of a model repository with recipes and scores, newest first."""
    from hairseg.hub.history import log as list_releases

    for release in list_releases(repo):
        print(release)


@app.command()
def export(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Folder, or Hub id to pull first.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="New folder for a pulled repository; by default the name in the Hub id."),
    ] = None,
) -> None:
    """Write VARIANT/model.onnx into a model repository.

    \b
    Example:
      hairseg hub export USER/NAME --output models/name
    """
    from hairseg.hub.resolve import pull as pull_from_hub
    from hairseg.repository.export import check_packages

    check_packages()
    if Path(repo).is_dir():
        _export(Path(repo))
    else:
        name = repo.partition("@")[0].rpartition("/")[2]
        _export(pull_from_hub(repo, output or name).folder)


@app.command(cls=MultiValueCommand)
def space(
    space: Annotated[str, typer.Argument(metavar="USER/NAME", help="The Space.")],
    repo: Annotated[
        list[str],
        typer.Option(
            metavar="REPO...", help="Model repositories that visitors can choose, USER/NAME or USER/NAME@REVISION."
        ),
    ],
    private: Private = False,
    hardware: Annotated[str | None, typer.Option(help="Hardware of the Space, such as cpu-basic or zero-a10g.")] = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Create a Docker Space from the Dockerfile instead of a Gradio Space.")
    ] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]", help="A secret of the Space, by default the environment variable NAME. Repeatable."
        ),
    ] = None,
) -> None:
    """Create or update the Space that shows model repositories.

    \b
    Example:
      hairseg hub space USER/PAGE --repo USER/NAME USER/OTHER@REVISION --secret HF_TOKEN
    """
    secrets = dict(map(_read_secret, secret or []))
    from hairseg.hub.space import space as deploy

    sdk = "docker" if docker else "gradio"
    deployed = deploy(space, repo, private, hardware=hardware, secrets=secrets, sdk=sdk)
    print(f"deployed: {deployed.url}")
    for name in deployed.need_token:
        print(f"{name} is private. Add a token that can read it as the secret HF_TOKEN in the Space's settings.")


def _export(folder: Path) -> None:
    from hairseg.repository.export import export_onnx

    for path in export_onnx(folder):
        print(f"exported: {path}")


def _read_secret(text: str) -> tuple[str, str]:
    """Split NAME=VALUE; without a value, read the environment variable NAME."""
    name, _, value = text.partition("=")
    value = value or env(name)
    if not name or not value:
        remedy = "Set the environment variable of that name, or give NAME=VALUE."
        raise InputError(f"The secret {quote(name)} has no value.", remedy=remedy)
    return name, value
