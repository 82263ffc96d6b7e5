"""Any content of a repository's files is used or refused with one short sentence, without a traceback or a hang."""

import json
import math
import struct

import gradio as gr
import orjson
import pytest
import torch
from conftest import write_repository
from fuzzing import json_values, refused_in_one_sentence
from hypothesis import given
from hypothesis import strategies as st

from hairseg.hub.resolve import ResolvedRepo
from hairseg.page.registry import ServedModel
from hairseg.page.scores import build_scores, f1_captions, f1_on_whole_persons, render_scores
from hairseg.repository import ModelRepository
from hairseg.repository.config import Config


@pytest.fixture
def model(tmp_path) -> ModelRepository:
    return ModelRepository(write_repository(tmp_path / "repository", ("random",)))


NAMES = [*Config.model_fields, "other"]


@given(changes=st.dictionaries(st.sampled_from(NAMES), json_values, min_size=1))
def test_any_setting(model, changes):
    path = model.folder / "config.json"
    original = path.read_text()
    try:
        path.write_text(json.dumps(json.loads(original) | changes))
        fresh = ModelRepository(model.folder)
        if refused_in_one_sentence(lambda: fresh.config) is None:
            config = fresh.config
            assert all(0.01 <= value <= 10 for value in config.std) and all(0 <= value <= 1 for value in config.mean)
            assert 32 <= config.preprocessing.image_size <= 1024 and 0 < config.threshold < 1
    finally:
        path.write_text(original)


@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_for_each_json_file(model, content):
    for name in ("config.json", "metrics.json", "random/history.json"):
        path = model.folder / name
        original = path.read_bytes()
        try:
            path.write_bytes(content)
            said = refused_in_one_sentence(ModelRepository(model.folder).validate)
            assert said or name != "config.json"
        finally:
            path.write_bytes(original)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_of_any_depth(model, opening):
    for name in ("config.json", "metrics.json", "random/history.json"):
        path = model.folder / name
        original = path.read_text()
        path.write_text(opening * 200_000)
        assert "is not valid JSON" in (refused_in_one_sentence(ModelRepository(model.folder).validate) or "")
        path.write_text(original)


headers = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["classifier.4.weight", "classifier.4.bias", "backbone.net.bn1.running_var"]),
        "field": st.sampled_from(["dtype", "shape", "data_offsets", None]),
        "value": json_values
        | st.sampled_from(["F64", "I64", "BOOL", "F8_E4M3", "U8"])
        | st.lists(st.integers(0, 2**70)),
        "renamed": st.none() | st.text(max_size=3) | st.just("x" * 100_000),
    }
)


@given(change=headers)
def test_any_header_of_the_weights(model, change):
    path = model.weights("random")
    original = path.read_bytes()
    (length,) = struct.unpack("<Q", original[:8])
    header = json.loads(original[8 : 8 + length])
    entry = header.pop(change["name"])
    if change["field"]:
        entry[change["field"]] = change["value"]
    header[change["name"] if change["renamed"] is None else change["renamed"]] = entry
    encoded = json.dumps(header).encode()
    try:
        path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + original[8 + length :])
        refused_in_one_sentence(lambda: model.load_network("random"))
    finally:
        path.write_bytes(original)


@given(head=st.binary(max_size=64), length=st.none() | st.integers(0, 2**64 - 1))
def test_any_bytes_for_the_weights(model, head, length):
    path = model.weights("random")
    path.write_bytes((b"" if length is None else struct.pack("<Q", length)) + head)
    assert refused_in_one_sentence(lambda: model.load_network("random"))


@pytest.mark.parametrize(
    "name, value",
    [
        ("classifier.4.weight", math.nan),
        ("classifier.4.bias", math.inf),
        ("backbone.net.bn1.weight", -math.inf),
        ("backbone.net.bn1.running_var", -1.0),
    ],
)
def test_impossible_values_are_refused(model, name, value):
    state = model.load_network("random").state_dict()
    state[name] = torch.full_like(state[name], value)
    model.save_weights("random", "efficientnet_lite0", state)
    for read in (model.validate, lambda: model.load_network("random")):
        assert f"in the tensor '{name}'" in (refused_in_one_sentence(read) or "")


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.uint8])
def test_integer_and_boolean_tensors_are_refused(model, dtype):
    state = model.load_network("random").state_dict()
    state["backbone.net.bn1.weight"] = torch.ones(32, dtype=dtype)
    model.save_weights("random", "efficientnet_lite0", state)
    said = refused_in_one_sentence(lambda: model.load_network("random"))
    assert "has the tensor 'backbone.net.bn1.weight' of type" in (said or "")


SHOWN = [
    "variants", "images", "dataset", "hairless", "roc", "others", "groups", "hair_types", "framing", "photo_types",
    "transfer",
]  # fmt: skip


@given(
    metrics=json_values | st.dictionaries(st.sampled_from(SHOWN), json_values, min_size=1),
    history=json_values
    | st.lists(st.dictionaries(st.sampled_from(["epoch", "train", "test"]), json_values), max_size=3),
)
def test_any_scores_on_the_page(model, metrics, history):
    """The page shows no scores if a file is malformed."""
    (model.folder / "metrics.json").write_text(json.dumps(metrics))
    (model.folder / "random" / "history.json").write_text(json.dumps(history))
    found = ServedModel("fuzzed", ResolvedRepo(model.folder)).metrics
    with gr.Blocks():
        components, values, captions = build_scores(), render_scores(model, found), f1_captions(found)
        assert all(isinstance(value, str) for value in captions.values())
        assert f1_on_whole_persons(found) is None or isinstance(metrics, dict)
        for component, value in zip(components, values, strict=True):
            if isinstance(value, gr.Slider):
                value = value.value
            if not isinstance(value, gr.Image):
                orjson.dumps(component.postprocess(value), default=dict, option=orjson.OPT_SERIALIZE_NUMPY)
