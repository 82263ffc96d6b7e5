"""What is killed at random moments and done again, beside what was not killed: are the results equal, bit for bit?

    python benchmarks/kills.py [--what paper modern push pull photos] [--kills 6] [--seed 0] [--output kills.json]

Small trainings by the recipes `paper` and `modern`, pushes to and pulls from a Hub, and a folder of photos get SIGKILL
at moments that the seed draws, and are started again. After every kill, no file under its final name may be
half-written; once the next process is done, results must be equal and nothing may be left over. What --output holds of
others is kept.
"""

import json
import os
import random
import tempfile
from functools import partial
from pathlib import Path

from common import PROJECT, parser_of, report
from kills_hub import photos, pull, push, stand_in
from kills_training import RECIPES, training

from hairseg.cli.common import run

TRAININGS = {recipe: partial(training, recipe) for recipe in RECIPES}


def main() -> int:
    parser = parser_of(__file__, __doc__)
    kinds = [*TRAININGS, "push", "pull", "photos"]
    parser.add_argument("--what", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--kills", type=int, default=6, help="of each, of trainings at most")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = json.loads(args.output.read_text()) if args.output and args.output.exists() else {}
    os.environ.update(PYTHONPATH=str(PROJECT), OMP_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as scratch, stand_in(Path(scratch)) as hub:
        victims = {**TRAININGS, "push": partial(push, hub), "pull": partial(pull, hub), "photos": photos}
        for name in args.what:
            (Path(scratch) / name).mkdir()
            result[name] = victims[name](Path(scratch) / name, args.kills, random.Random(args.seed))
            report(result, args)
    found = [result[name] for name in args.what]
    return int(any(not all(one["equal"].values()) or one["half_written"] or one["left_over"] for one in found))


if __name__ == "__main__":
    run(main)
