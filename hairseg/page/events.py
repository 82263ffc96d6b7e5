"""What the page asks for while it is used, and what it gets: values for its scripts, with the look they belong to."""

import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from hairseg.errors import InputError, quote
from hairseg.images import alpha_to_grey, encode_jpeg, encode_png
from hairseg.page.components import save_file
from hairseg.page.endpoints import settings_of
from hairseg.page.session import PageSession, name_of
from hairseg.page.touch_up import Stroke, read_strokes
from hairseg.page.views import draw_view, middle_of_hair, share_alone, share_of_hair
from hairseg.paper import VARIANTS
from hairseg.recolouring.collages import contact_sheet, share_card
from hairseg.recolouring.palette import PRESETS, parse_colour

EXAMPLES = Path(__file__).parent / "examples"

SHOWN_BYTES = 190_000  # of a photo on its way to the browser, at most

BALD = 0.002  # share of the picture below which hardly any hair is found

FAINT = 0.1  # alpha from which dye is seen, though it is not called hair

GONE = "The photo is not on the server"

UNEXPECTED = "Something went wrong on the server. Try again, or with another photo."


class PageEvents:
    """Answers to the page's events."""

    def __init__(self, session: PageSession):
        self.session = session

    def show_masks(self, photo: dict | None, view: str) -> tuple[dict | None, dict | None]:
        """Both variants' pictures in a view, the random one first."""

        def draw(variant: str) -> dict:
            model = self.session.models.known(model_of(photo)).name
            session = self.session.photo(path_of(photo), model)
            # the random one first: the recoloured photo is asked for at once, and works on the pretrained one
            alphas = {name: session.alpha(name) for name in reversed(VARIANTS)}
            picture = draw_view(view, session.shown, alphas, variant, session.threshold)
            share = share_of_hair(alphas[variant], session.threshold)
            name = f"{name_of(session.path)}-{variant}-{'mask' if picture.ndim == 2 else view.split()[-1].lower()}"
            return {
                "src": save_picture(name, picture),
                "shown": session.file(partial(save_picture, name_of(session.path))),
                "view": view,
                "model": model,
                "share": share,
                "bald": how_bald(alphas[variant], share),
                "alone": share_alone(alphas, variant, session.threshold) if view == "Where they differ" else None,
            }

        return self.answer(photo, lambda: draw("random")), self.answer(photo, lambda: draw("pretrained"))

    def show_recoloured(self, photo: dict | None, colour: Any, strength: Any, variant: Any, *finer: Any) -> dict | None:
        """The recoloured photo at the size that is shown."""

        def dye() -> dict:
            path, strokes, model = path_of(photo), strokes_of(photo), model_of(photo)
            session = self.session.photo(path, model)
            recolourer = self.session.recolourer(path, variant, strokes, model)
            recoloured = recolourer.recolour(colour, settings_of(strength, *finer))
            share = share_of_hair(recolourer.alpha, session.threshold)
            return {
                "src": save_picture(f"{name_of(session.path)}-{colour_name(colour)}", recoloured),
                "shown": session.file(partial(save_picture, name_of(session.path))),
                "colour": colour_name(colour),
                "share": share,
                "bald": "" if strokes else how_bald(recolourer.alpha, share),
                "middle": middle_of_hair(recolourer.alpha, session.threshold),
            }

        return self.answer(photo, dye)

    def take_away(self, kind: str) -> Callable[..., dict | None]:
        """The event that makes one of `TAKE_AWAY`, at the photo's own size."""

        def take(photo: dict | None, colour: Any, strength: Any, variant: Any, *finer: Any) -> dict | None:
            def make() -> dict:
                path, settings = path_of(photo), settings_of(strength, *finer)
                strokes, model = strokes_of(photo), model_of(photo)
                session, own = (
                    self.session.photo(path, model),
                    self.session.full_resolution(path, variant, strokes, model),
                )
                name = name_of(session.path)
                if kind == "recoloured-png":
                    file = f"{name}-{colour_name(colour)}.png", encode_png(own.recolour(colour, settings))
                elif kind == "recoloured-jpeg":
                    file = f"{name}-{colour_name(colour)}.jpg", encode_jpeg(own.recolour(colour, settings))
                elif kind == "alpha":
                    touched = "-touched-up" if strokes else ""
                    file = f"{name}-{variant}-mask{touched}.png", encode_png(alpha_to_grey(own.alpha))
                elif kind == "cutout":
                    file = f"{name}-hair.png", encode_png(own.cutout())
                elif kind == "sheet":
                    file = f"{name}-colours.png", encode_png(contact_sheet(own.photo, own.alpha, settings))
                else:
                    recolourer = self.session.recolourer(path, variant, strokes, model)
                    recoloured = recolourer.recolour(colour, settings)
                    masks = {name: session.alpha(name) for name in VARIANTS}
                    card = share_card(session.shown, masks, recoloured, preset_or_code(colour))
                    file = f"{name}-card.jpg", encode_jpeg(card)
                return {"kind": kind, "src": save_file(*file), "name": file[0]}

            return self.answer(photo, make)

        return take

    def answer(self, photo: dict | None, make: Callable[[], dict]) -> dict:
        """What `make` gives, or the sentence that says why not, with the numbers of look, edit and request."""
        asked = {number: photo and photo.get(number) for number in ("look", "edit", "asked")}
        try:
            return {**asked, **self.session.in_turn(path_of(photo), make)}
        except InputError as error:
            return {**asked, "error": str(error), "gone": photo is not None and not photo["path"]}
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return {**asked, "error": UNEXPECTED}


def example(name: Any) -> str:
    """The path of an example photo that the page may show, as if it had been uploaded.

    Raises:
        HTTPException: there is no such example.
    """
    known = {path.name: path for path in EXAMPLES.glob("*.jpg")}
    if not isinstance(name, str) or name not in known:
        raise HTTPException(404, str(InputError(f"the example {quote(name)} is not known", ", ".join(sorted(known)))))
    return save_file_to_cache(known[name], get_upload_folder())


def path_of(photo: dict | None) -> str:
    """Raises InputError when there is no photo, or none any more."""
    if not photo:
        raise InputError("There is no photo yet", "upload it first")
    if not photo["path"]:
        raise InputError(GONE, "upload it again")
    return photo["path"]


def strokes_of(photo: dict | None) -> tuple[Stroke, ...]:
    """The touch-up of the photo. Raises InputError; the message says what is wrong with it."""
    return read_strokes(photo and photo.get("strokes"))


def model_of(photo: dict | None) -> str | None:
    """The name of the model that looks at the photo; None for the first one."""
    return photo.get("model") if photo else None


def how_bald(alpha: np.ndarray, share: float) -> str:
    """What so little hair is called, `share` of the picture: "no" or "hardly any"; nothing where there is more."""
    if share >= BALD:
        return ""
    return "hardly any" if alpha.max() > FAINT else "no"


def save_picture(name: str, picture) -> str:
    """A file for the browser: masks as PNG, photos as JPEG that is small."""
    if picture.ndim == 2:
        return save_file(f"{name}.png", encode_png(picture))
    return save_file(f"{name}.jpg", encode_jpeg(picture, 92, SHOWN_BYTES))


def colour_name(colour: Any) -> str:
    """A preset's name, else the code of the colour, as they stand in names of files."""
    return preset_or_code(colour).lstrip("#").replace(" ", "-")


def preset_or_code(colour: Any) -> str:
    code = "#" + bytes(parse_colour(colour)).hex()
    return next((name for name, preset in PRESETS.items() if preset == code), code)
