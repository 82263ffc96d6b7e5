"""The model repository on the Hugging Face Hub, and the Space that shows it.

python -m hairseg.hub push runs/resnet101-paper USER/NAME [--private] [--overwrite-card]
python -m hairseg.hub pull USER/NAME[@REVISION] [--output DIR]
python -m hairseg.hub space USER/NAME --repo USER/NAME [--private]
"""

from pathlib import Path

from hairseg.commands import Parser, run
from hairseg.hub.publish import push
from hairseg.hub.resolution import pull
from hairseg.hub.space import space


def parse() -> Parser:
    parser = Parser(prog="python -m hairseg.hub", description="HairSeg on the Hugging Face Hub.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("push", help="push a model repository in one commit, and tag it")
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.add_argument("repo", metavar="USER/NAME")
    command.add_argument("--private", action="store_true", help="only you can see it")
    command.add_argument("--overwrite-card", action="store_true", help="also a card that was edited on the Hub")
    command = commands.add_parser("pull", help="download a model repository for offline use")
    command.add_argument("repo", metavar="REPO", help="USER/NAME or USER/NAME@REVISION")
    command.add_argument("--output", type=Path, help="new folder for a copy of it (the Hub's cache alone)")
    command = commands.add_parser("space", help="create or update the Space that shows a model repository")
    command.add_argument("space", metavar="USER/NAME")
    command.add_argument("--repo", required=True, help="USER/NAME or USER/NAME@REVISION of the model repository")
    command.add_argument("--private", action="store_true", help="only you can see it")
    return parser


def main() -> None:
    args = parse().parse_args()
    if args.command == "push":
        pushed = push(args.folder, args.repo, args.private, args.overwrite_card)
        if pushed.card_kept:
            print("the model card was edited on the Hub and is kept; --overwrite-card replaces it")
        print(f"pushed: {pushed.url} (tag {pushed.tag})")
    elif args.command == "pull":
        found = pull(args.repo, args.output)
        print(f"pulled: {found}, in {found.folder}")
    else:
        deployed = space(args.space, args.repo, args.private)
        print(f"deployed: {deployed.url}")
        if deployed.needs_token:
            print(
                f"{args.repo} is private: add a token that may read it as the secret HF_TOKEN in the Space's settings"
            )


if __name__ == "__main__":
    run(main)
