"""The preset colours as buttons, named and numbered as hairdressers do."""

from hairseg.recolouring.palette import PRESETS

# headings of the colour families, by the first preset of each
FAMILIES = {"black": "Natural", "silver": "Bold"}

# levels of natural colours, from 1 (black) to 10 (lightest)
LEVELS = {"black": 1, "dark brown": 3, "chestnut": 5, "copper": 6, "dark blond": 7, "light blond": 9, "platinum": 10}


def render_swatches(with_ids: bool = False) -> str:
    """Return the buttons of all presets as HTML, each family below its heading.

    Args:
        with_ids: Whether buttons have ids such as `swatch-light-blond`, which must be unique on the page.
    """
    parts = []
    for index, (name, code) in enumerate(PRESETS.items()):
        if name in FAMILIES:
            parts.append(f'<span class="family">{FAMILIES[name]}</span>')
        identifier = f' id="swatch-{name.replace(" ", "-")}"' if with_ids else ""
        parts.append(
            f'<button type="button" class="swatch"{identifier} data-preset="{name}" aria-pressed="false" '
            f'style="--swatch: {code}; --index: {index}"><span class="thumbnail"></span>{swatch_label(name)}</button>'
        )
    return "".join(parts)


def swatch_label(preset: str) -> str:
    """Return a preset's name, and its level where hairdressers give it one.

    Example:
        >>> swatch_label("light blond"), swatch_label("violet")
        ('light blond (9)', 'violet')
    """
    return f"{preset} ({LEVELS[preset]})" if preset in LEVELS else preset
