"""The models that a page serves: which were found, what visitors call them, and which are in memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hairseg.errors import InputError, quote
from hairseg.page.store import Cache
from hairseg.paper import VARIANTS

if TYPE_CHECKING:  # these import PyTorch, and the page starts without it
    from hairseg.hub.resolve import ResolvedRepo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.repository import ModelRepository
    from hairseg.repository.metrics import Metrics

MAX_MEGABYTES = 1000  # of weights in memory: four pairs of ResNet-101, or forty of the bundled size

BUNDLED_NAME = "bundled"


@dataclass(frozen=True)
class ServedModel:
    """A model repository that visitors can choose.

    Args:
        name: What visitors call it.
        source: Where it was found; None for the bundled repository.
    """

    name: str
    source: "ResolvedRepo | None" = None

    @cached_property
    def repository(self) -> "ModelRepository":
        from hairseg.repository import BUNDLED, ModelRepository

        return ModelRepository(self.source.folder if self.source else BUNDLED)

    @cached_property
    def weight_bytes(self) -> int:
        """Size of both weight files; in memory twice that where the hardware does not support bfloat16."""
        return self.repository.weight_bytes()

    @cached_property
    def metrics(self) -> "Metrics":
        """The scores, without markup; empty if metrics.json is missing or malformed."""
        from hairseg.repository.metrics import Metrics

        try:
            return self.repository.metrics()
        except InputError:
            return Metrics()

    def __str__(self) -> str:
        """Describe the origin in Markdown. Paths of the server are not shown to visitors."""
        if self.source is None:
            return "bundled"
        return f"[{self.source}]({self.source.url})" if self.source.url else f"`{self.name}`"


class ModelRegistry:
    """Loads models on demand, once each, and unloads the least recently used one when memory runs short.

    Args:
        models: What visitors can choose, with distinct names. The first one is the default.
        load: Loads the networks of a model.
        megabytes: Maximum total size of the weights in memory. A single larger model is kept alone.

    Example:
        >>> registry = ModelRegistry([ServedModel("bundled")], load=lambda model: f"the networks of {model.name}")
        >>> registry.predictor("bundled")
        'the networks of bundled'
    """

    def __init__(
        self,
        models: "Iterable[ServedModel]",
        load: "Callable[[ServedModel], HairPredictor]",
        megabytes: float = MAX_MEGABYTES,
    ):
        self._models = {model.name: model for model in models}
        self.milliseconds: dict[str, float] = {}  # per photo, as measured by `load`
        self._load = load
        self._loaded = Cache(megabytes * 1e6, lambda name: self._models[name].weight_bytes)

    @classmethod
    def from_predictor(cls, predictor: "HairPredictor") -> "ModelRegistry":
        """Create a registry of one model that is loaded already."""
        from hairseg.hub.resolve import ResolvedRepo

        return cls([ServedModel(predictor.folder.name, ResolvedRepo(predictor.folder))], lambda model: predictor)

    @property
    def names(self) -> list[str]:
        return list(self._models)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def find(self, name: str | None) -> ServedModel:
        """Return the model of that name, or the first one for None. Raises InputError for an unknown name."""
        if name is None:
            return next(iter(self))
        if not isinstance(name, str) or name not in self._models:
            raise InputError(
                f"{quote(name)} is not a model of this page.", remedy=f"Choose one of {', '.join(self._models)}."
            )
        return self._models[name]

    def predictor(self, name: str | None = None) -> "HairPredictor":
        """Return both networks of a model. Blocks while they are loaded; raises InputError if that fails."""
        model = self.find(name)
        return self._loaded.get(model.name, lambda: self._load(model))


def find_models(repos: Sequence[str] | None = None) -> tuple[list[ServedModel], list[str]]:
    """Find the models to serve.

    Args:
        repos: Folders and Hub ids. Missing files of Hub repositories are downloaded. By default those in HAIRSEG_REPO,
            else the bundled repository.

    Returns:
        The models, and one sentence for visitors per model that is missing or a cached copy. If the Hub fails to
        deliver the first model, the bundled one takes its place. Any other model that fails is left out.

    Raises:
        InputError: The first one is not a model repository.
    """
    if not repos and not os.environ.get("HAIRSEG_REPO"):
        return [ServedModel(BUNDLED_NAME)], []  # the imports below load PyTorch
    from hairseg.hub.errors import HubError
    from hairseg.hub.resolve import default_repos, resolve
    from hairseg.repository import ModelRepository

    found: dict[str, ResolvedRepo | None] = {}
    notices: list[str] = []
    for repo in dict.fromkeys(repos or default_repos()):
        source = None
        try:
            source = resolve(repo)
            ModelRepository(source.folder).check(VARIANTS)
        except InputError as error:
            if found:
                name = repo if is_hub_id(repo) else Path(repo).name
                reason = str(error)
                for path in [str(source.folder), repo] if source else [repo]:  # visitors must not see paths
                    reason = reason.replace(quote(path), quote(name)).replace(path, name)
                notices.append(f"The model {name} is not served: {reason}")
            elif isinstance(error, HubError):
                found[repo] = None
                notices.append(f"The bundled model is served instead of {repo}: {error}")
            else:
                raise
        else:
            found[repo] = source
            if source.reason:
                notices.append(f"The model is a cached copy of {source.repo_id}, because {source.reason}.")
    return name_models(found), notices


def is_hub_id(repo: str) -> bool:
    return repo.count("/") == 1 and not Path(repo).is_dir()


def name_models(sources: "dict[str, ResolvedRepo | None]") -> list[ServedModel]:
    """Name models for visitors: the Hub id, or the shortest end of a folder's path that is unique.

    Args:
        sources: Keyed by the owner's name for each; None is the bundled repository. Duplicate folders count once.
    """
    folders = {repo: source.folder.resolve() for repo, source in sources.items() if source and source.repo_id is None}
    distinct = len(sources) - len(folders) + len(set(folders.values()))
    models: dict[str, ServedModel] = {}
    for depth in count(1):
        names = {repo: repo if source else BUNDLED_NAME for repo, source in sources.items()}
        names |= {repo: "/".join(folder.parts[-depth:]) for repo, folder in folders.items()}
        models = {names[repo]: ServedModel(names[repo], source) for repo, source in sources.items()}
        if len(models) == distinct:
            break
    return list(models.values())
