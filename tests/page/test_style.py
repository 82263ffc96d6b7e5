"""The page's scripts."""

import re
from collections import Counter

from hairseg.page.style import FOLDER, SCRIPTS

BLOCK = re.compile(r"^(?:Object\.assign\(hairseg, |const hairseg = )\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
IN_BLOCK = re.compile(r"^ {4}(?:async )?(\w+)(?:\(.*\) \{|:)", re.MULTILINE)
BY_ITSELF = re.compile(r"^hairseg\.(\w+) = ", re.MULTILINE)


def test_no_two_scripts_use_the_same_name():
    """They share one object: the later one would take the place of the earlier one without a word."""
    names = Counter()
    for script in SCRIPTS:
        text = (FOLDER / script).read_text(encoding="utf-8")
        names.update(BY_ITSELF.findall(text))
        for block in BLOCK.findall(text):
            names.update(IN_BLOCK.findall(block))
    assert {"say", "mask", "send", "live", "messages"} <= set(names)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_script_is_on_the_page():
    assert sorted(SCRIPTS) == sorted(path.name for path in FOLDER.glob("*.js"))
