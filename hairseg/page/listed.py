"""What an owner has listed for a page to serve, as far as it can be had, and what visitors call it."""

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hairseg.errors import InputError, quote
from hairseg.page.models import Model
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.hub.resolve import ResolvedRepo

BUNDLED_NAME = "bundled"


def find_models(repos: Sequence[str] = ()) -> tuple[list[Model], list[str]]:
    """The models that are served, and what visitors should know of them: a sentence each.

    Args:
        repos: folders and Hub ids; what the cache lacks of a repository on the Hub is downloaded. By default those in
            HAIRSEG_REPO, else the bundled one.

    Returns:
        Models, and sentences: which are missing and why, which are cached copies. When the Hub fails to give the first
        one, the bundled pair takes its place: nobody is left without a page. Any other that cannot be had is left out.

    Raises:
        InputError: the first one is no model repository.
    """
    if not repos and not os.environ.get("HAIRSEG_REPO"):
        return [Model(BUNDLED_NAME)], []  # without PyTorch, which the others take along
    from hairseg.hub.errors import HubError
    from hairseg.hub.resolve import default_repos, resolve
    from hairseg.repository import ModelRepository

    found: dict[str, ResolvedRepo | None] = {}
    said = []
    for repo in dict.fromkeys(repos or default_repos()):
        source = None
        try:
            source = resolve(repo)
            ModelRepository(source.folder).check(VARIANTS)
        except InputError as error:
            because = f"because {str(error)[0].lower()}{str(error)[1:]}"
            if found:
                name = repo if is_hub_id(repo) else Path(repo).name
                for path in [str(source.folder), repo] if source else [repo]:  # paths of the server stay its own
                    because = because.replace(quote(path), quote(name)).replace(path, name)
                said.append(f"the model {name} is not served, {because}")
            elif isinstance(error, HubError):
                found[repo] = None
                said.append(f"the bundled weights are shown, {because}")
            else:
                raise
        else:
            found[repo] = source
            if source.reason:
                said.append(f"the weights are a cached copy of {source.repo_id}: {source.reason}")
    return name_models(found), said


def is_hub_id(repo: str) -> bool:
    return repo.count("/") == 1 and not Path(repo).is_dir()


def name_models(sources: "dict[str, ResolvedRepo | None]") -> list[Model]:
    """Models by what visitors call them: the Hub id as listed, or as much of a folder's path as tells it apart.

    Args:
        sources: by what the owner calls them; None is the bundled pair. A folder that is listed twice counts once.
    """
    folders = {repo: source.folder.resolve() for repo, source in sources.items() if source and source.repo_id is None}
    different = len(sources) - len(folders) + len(set(folders.values()))
    for depth in count(1):
        names = {repo: repo if source else BUNDLED_NAME for repo, source in sources.items()}
        names |= {repo: "/".join(folder.parts[-depth:]) for repo, folder in folders.items()}
        models = {names[repo]: Model(names[repo], source) for repo, source in sources.items()}
        if len(models) == different:
            break
    return list(models.values())
