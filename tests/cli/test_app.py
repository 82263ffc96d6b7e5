"""Arguments, help and exit codes of `hairseg`."""

import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import PROJECT, run_here
from PIL import Image

from hairseg import __version__
from hairseg.cli import main
from hairseg.cli.app import invoke
from hairseg.environment import env
from hairseg.errors import InputError
from hairseg.recolouring.settings import RecolourSettings
from hairseg.training.options import TrainOptions

VERBS = ("predict", "serve", "label", "train", "evaluate", "models", "hub")


@pytest.fixture
def train_options(monkeypatch):
    """A function that parses the arguments of `hairseg train` and returns the options."""
    parsed = []
    monkeypatch.setattr("hairseg.training.train.train", parsed.append)

    def parse(*words: str) -> TrainOptions:
        assert invoke(["train", *words]) == 0
        return parsed.pop()

    return parse


@pytest.fixture
def serve_options(monkeypatch):
    """A function that parses the arguments of `hairseg serve` and returns those of `launch`."""
    calls = []
    monkeypatch.setattr("hairseg.cli.serve.launch", lambda repos, **options: calls.append({"repos": repos, **options}))
    for name in ("HAIRSEG_REPO", "HAIRSEG_AUTH", "HAIRSEG_MEMORY", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)

    def parse(*words: str) -> dict:
        assert invoke(["serve", *words]) == 0
        return calls.pop()

    return parse


def test_help_lists_the_verbs_and_examples(capsys):
    for words in ([], ["--help"]):
        assert invoke(words) == 0
        shown = capsys.readouterr().out
        assert all(f"\n  {verb} " in shown for verb in VERBS)
        assert "\n    hairseg selfie.jpg --colour copper --output out\n" in shown and "./NAME" in shown
    for verb in VERBS[:-1]:
        assert invoke([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"Usage: hairseg {verb}" in shown and f"\n    hairseg {verb}" in shown
    assert invoke(["--version"]) == 0 and capsys.readouterr().out == f"hairseg {__version__}\n"


def test_help_of_options_comes_from_dataclasses(capsys):
    invoke(["predict", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for setting in fields(RecolourSettings):
        assert f"--{setting.name.replace('_', '-')} " in shown
        assert setting.metadata["help"].rstrip(".") in shown
        assert setting.default is None or f"[default: {setting.default}]" in shown
    assert "from -1 to 1" in shown and "ombre|streaks" in shown
    invoke(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for option in fields(TrainOptions):
        assert f"--{option.name.replace('_', '-')} " in shown and option.metadata["help"] in shown
    assert "--no-" not in shown


def test_defaults_of_train_are_those_of_its_dataclass(train_options):
    assert train_options("--data", "a") == TrainOptions(data=[Path("a")])


@pytest.mark.parametrize(
    "words",
    [
        "--data a b --scenes c d --weights a=2 b=0.5 --variants random",
        "--data a --data b --scenes c --scenes d --weights a=2 --weights b=0.5 --variants random",
        "--data=a b --scenes c --scenes=d --weights a=2 b=0.5 --variants=random",
    ],
)
def test_options_take_several_values(train_options, words):
    options = train_options(*shlex.split(words), "--resume", "--seed", "-3")
    assert options.data == [Path("a"), Path("b")] and options.scenes == [Path("c"), Path("d")]
    assert options.weights == ["a=2", "b=0.5"] and options.variants == ["random"]
    assert options.resume and options.seed == -3


def test_recorded_command_repeats_the_training(train_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start").mkdir()
    options = train_options(
        *(
            "--data",
            str(tmp_path / "faces"),
            "street",
            "--weights",
            "street/hats=2",
            "--start",
            str(tmp_path / "start"),
        ),
        *("--learning-rate", "1e-4", "--onnx", "--resume", "--push-to", "ada/hair"),
    )
    command = (
        "hairseg train --data faces street --weights street/hats=2 --start start --learning-rate 0.0001 "
        "--push-to ada/hair --onnx"
    )
    assert options.command() == command
    repeated = train_options(*shlex.split(command)[2:])
    assert repeated.command() == command and repeated.learning_rate == 1e-4


@pytest.mark.parametrize("words", ["a.jpg b --output out", "--output out a.jpg b", "predict a.jpg b --output out"])
def test_predict_is_the_default_verb(monkeypatch, words):
    found = []

    def find_photos(paths, output):
        found.append(([*paths], output))
        return {}

    monkeypatch.setattr("hairseg.cli.predict.find_photos", find_photos)
    assert invoke(words.split()) == 0
    assert found == [([Path("a.jpg"), Path("b")], Path("out"))]


@pytest.mark.parametrize(
    "words, message",
    [
        ("train", "Missing option '--data'. See hairseg train --help."),
        ("train --data x --sede 1", "See hairseg train --help."),
        ("train --data x --seed one", "'--seed'"),
        ("evaluate --data x --split holdout", "'holdout' is not one of 'test', 'val', 'train', 'all'"),
        ("--nonsense", "--nonsense"),
        ("hub", "Missing command. See hairseg hub --help."),
        ("hub pusch", "Did you mean 'push'?"),
        ("hub space ada/page", "Missing option '--repo'. See hairseg hub space --help."),
        ("hub space ada/page --repo a/b --secret NO_SUCH_VARIABLE", "The secret 'NO_SUCH_VARIABLE' has no value."),
        ("a.jpg --strength 2", "strength is 2"),
        ("a.jpg --colour mauve-ish", "'mauve-ish' is not a colour"),
    ],
)
def test_invalid_arguments_print_one_line(words, message):
    done = run_here("-m", "hairseg", *words.split(), rc=2)
    assert done.stdout == "" and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["train"], ["serve", "--port", "0"], ["hub", "pusch"]])
def test_help_and_invalid_arguments_do_not_import_torch(words):
    code = (
        "import sys; from hairseg.cli.app import invoke; from hairseg.errors import InputError\n"
        "try: invoke(sys.argv[1:])\nexcept InputError: pass\n"
        "sys.exit(f\"{ {'torch', 'gradio', 'huggingface_hub'} & sys.modules.keys() }\")"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=PROJECT, capture_output=True, text=True)
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("module", ["hairseg.cli.app", "numpy", pytest.param("torch.nn", marks=pytest.mark.slow)])
def test_ctrl_c_during_imports_prints_one_line(module, tmp_path):
    code = f"""
import os, runpy, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes may ignore it
sys.meta_path.insert(0, Interrupter())
runpy.run_path("train.py", run_name="__main__")
"""
    command = [sys.executable, "-c", code, "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.slow
def test_shell_completes_verbs_options_and_backbones():
    def complete(line: str) -> str:
        code = "from hairseg.cli import main; main()"
        environment = {"_HAIRSEG_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300
        )
        return done.stdout

    assert complete("hairseg ev").split() == ["evaluate"]
    assert complete("hairseg train --back").split() == ["--backbone"]
    assert "efficientnet_lite0" in complete("hairseg train --backbone eff")


def test_defaults_of_serve(serve_options, monkeypatch):
    monkeypatch.delenv("HAIRSEG_ENGINE")
    assert serve_options() == {
        "repos": None, "host": "127.0.0.1", "port": 7860, "share": False, "credentials": None, "mcp": False,
        "device": "auto", "engine": "auto", "max_megabytes": 1000,
    }  # fmt: skip


@pytest.mark.parametrize("blank", ["", " "])
def test_blank_environment_variables_count_as_unset(serve_options, monkeypatch, blank):
    defaults = serve_options()
    for name in ("HAIRSEG_AUTH", "HAIRSEG_MEMORY", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.setenv(name, blank)
        assert env(name) is None
    assert serve_options() == defaults


def test_environment_variables_are_defaults_of_serve(serve_options, monkeypatch):
    monkeypatch.setenv("HAIRSEG_AUTH", "ada:secret")
    monkeypatch.setenv("HAIRSEG_MEMORY", "20.5")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8000")
    expected = {"max_megabytes": 20.5, "credentials": "ada:secret", "host": "0.0.0.0", "port": 8000}
    assert serve_options().items() >= expected.items()
    words = "--repo a b/c --memory 3 --host ::1 --port 80 --auth eve:x --share"
    expected = {"max_megabytes": 3, "credentials": "eve:x", "host": "[::1]", "port": 80, "share": True}
    assert serve_options(*words.split()).items() >= {"repos": ["a", "b/c"], **expected}.items()


@pytest.mark.parametrize(
    "words, environment, message",
    [
        ("--port 99999", {}, "Port '99999' is out of range. Choose a --port from 1 to 65535."),
        ("", {"GRADIO_SERVER_PORT": "abc"}, "Port 'abc' is out of range."),
        ("--memory 0", {}, "--memory is '0'. Give a number of megabytes above 0."),
        ("--memory nan", {}, "--memory is 'nan'."),
        ("", {"HAIRSEG_MEMORY": "much"}, "--memory is 'much'."),
        ("--auth nobody", {}, "--auth is malformed. Give USER:PASSWORD."),
        ("--mcp --auth ada:secret", {}, "--mcp tools do not ask for a password."),
    ],
)
def test_invalid_options_of_serve(serve_options, monkeypatch, words, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        serve_options(*words.split())


@pytest.mark.parametrize(
    "exception",
    [
        "MemoryError()",
        'RuntimeError("[enforce fail] DefaultCPUAllocator: can\'t allocate memory: you tried to allocate 8 bytes.")',
        "RuntimeError('CUDA out of memory. Tried to allocate 20.00 MiB.')",
        "ImportError('libtorch_cpu.so: failed to map segment from shared object')",
        'RuntimeError("can\'t start new thread")',
    ],
)
def test_exhausted_memory_prints_one_line(monkeypatch, capsys, exception):
    def raise_error(words):
        raise eval(exception)

    monkeypatch.setattr("hairseg.cli.app.invoke", raise_error)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: Memory is exhausted. Close other programs, or raise the limit of this process.\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space is Linux's")
@pytest.mark.parametrize("verb", ["predict", "train", "evaluate"])
def test_little_memory_prints_one_line(verb, tmp_path):
    arguments = [str(tmp_path / "photo.png")] if verb == "predict" else ["--data", str(tmp_path)]
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))"
    code = f"{limit}; from hairseg.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, verb, *arguments], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Memory is exhausted.") and done.stderr.count("\n") == 1
