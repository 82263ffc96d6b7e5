"""The model repository on the Hugging Face Hub, and the Space that shows it.

python -m hairseg.hub push runs/resnet101-paper USER/NAME [--private] [--overwrite-card] [--onnx] [--allow-regression]
python -m hairseg.hub log USER/NAME
python -m hairseg.hub pull USER/NAME[@REVISION] [--output DIR]
python -m hairseg.hub export REPO --onnx [--output DIR]
python -m hairseg.hub space USER/NAME --repo USER/NAME[@REVISION]... [--private] [--hardware NAME] [--secret HF_TOKEN]
"""

import os
from pathlib import Path

from hairseg.cli.common import Parser, run
from hairseg.errors import InputError, quote
from hairseg.hub.history import log
from hairseg.hub.publish import push
from hairseg.hub.resolve import parse_repo_id, pull
from hairseg.hub.space import space
from hairseg.repository.export import check_packages, export_onnx


def parse() -> Parser:
    parser = Parser(prog="python -m hairseg.hub", description="HairSeg on the Hugging Face Hub.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("push", help="push a model repository in one commit, and tag it")
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.add_argument("repo", metavar="USER/NAME")
    command.add_argument("--private", action="store_true", help="only you can see it")
    command.add_argument("--overwrite-card", action="store_true", help="also a card that was edited on the Hub")
    command.add_argument(
        "--allow-regression", action="store_true", help="also if it scores worse than what was tagged last"
    )
    command.add_argument("--onnx", action="store_true", help="export to ONNX first, for use without this code")
    command = commands.add_parser("pull", help="download a model repository for offline use")
    command.add_argument("repo", metavar="REPO", help="USER/NAME or USER/NAME@REVISION")
    command.add_argument("--output", type=Path, help="new folder for a copy of it (the Hub's cache alone)")
    command = commands.add_parser("log", help="list the tags of a repository with recipes and scores, the newest first")
    command.add_argument("repo", metavar="USER/NAME")
    command = commands.add_parser("export", help="write VARIANT/model.onnx into a model repository")
    command.add_argument("repo", metavar="REPO", help="folder, or Hub id to pull first")
    command.add_argument("--onnx", action="store_true", required=True, help="the format")
    command.add_argument("--output", type=Path, help="new folder for what is pulled (the last word of the Hub id)")
    command = commands.add_parser("space", help="create or update the Space that shows model repositories")
    command.add_argument("space", metavar="USER/NAME")
    command.add_argument(
        "--repo",
        nargs="+",
        required=True,
        help="USER/NAME or USER/NAME@REVISION of model repositories, among which visitors choose",
    )
    command.add_argument("--private", action="store_true", help="only you can see it")
    command.add_argument("--hardware", help="what it shall run on, such as cpu-basic or t4-small")
    command.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a secret of the Space; without a value, that of the environment variable NAME",
    )
    return parser


def read_secret(text: str) -> tuple[str, str]:
    """ "NAME=VALUE", or "NAME" of an environment variable -> name and value."""
    name, given, value = text.partition("=")
    if not given:
        value = os.environ.get(name, "")
    if not name or not value:
        raise InputError(
            f"the secret {quote(name)} has no value", "an environment variable of that name, or NAME=VALUE"
        )
    return name, value


def export(folder: Path) -> None:
    for path in export_onnx(folder):
        print(f"exported: {path}")


def main() -> None:
    args = parse().parse_args()
    if args.command == "export":
        check_packages()
        if Path(args.repo).is_dir():
            export(Path(args.repo))
        else:
            export(pull(args.repo, args.output or parse_repo_id(args.repo)[0].rpartition("/")[2]).folder)
    elif args.command == "push":
        if args.onnx:
            export(args.folder)
        pushed = push(args.folder, args.repo, args.private, args.overwrite_card, allow_regression=args.allow_regression)
        if pushed.card_kept:
            print("the model card was edited on the Hub and is kept; --overwrite-card replaces it")
        print(f"pushed: {pushed.url} (tag {pushed.tag})")
    elif args.command == "log":
        for release in log(args.repo):
            print(release)
    elif args.command == "pull":
        found = pull(args.repo, args.output)
        print(f"pulled: {found}, in {found.folder}")
    elif args.command == "space":
        secrets = dict(map(read_secret, args.secret))
        deployed = space(args.space, args.repo, args.private, hardware=args.hardware, secrets=secrets)
        print(f"deployed: {deployed.url}")
        for repo in deployed.need_token:
            print(f"{repo} is private: add a token that may read it as the secret HF_TOKEN in the Space's settings")


if __name__ == "__main__":
    run(main)
