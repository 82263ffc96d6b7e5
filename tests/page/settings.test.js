import assert from "node:assert/strict";
import {test} from "node:test";
import {countChanged, fromQuery, parseColour, presetOf, toQuery} from "../../hairseg/page/studio/settings.js";

const constants = {
    presets: {copper: "#a05730", "light blond": "#cfae85"},
    variants: ["pretrained", "random"],
    models: ["bundled", "ada/hair"],
    numbers: {
        strength: [0, 1, 1],
        vividness: [-1, 1, 0],
        lightness: [-1, 1, 0],
        natural_roots: [0, 1, 0],
        ombre_start: [0, 1, 0.25],
    },
    modes: ["none", "ombre", "streaks"],
    strokePoints: 400,
    largestMegabytes: 200,
    firstExample: "beanie",
};
const defaults = {
    colour: "#a05730",
    variant: "pretrained",
    strength: 1,
    vividness: 0,
    lightness: 0,
    natural_roots: 0,
    ombre_start: 0.25,
    second_mode: "none",
    second_colour: "#cfae85",
    model: "bundled",
};

test("colours are read as names, codes and what colour pickers give", () => {
    const read = text => parseColour(text, constants.presets);
    assert.equal(read(" Light Blond "), "#cfae85");
    assert.equal(read("8E24AA"), "#8e24aa");
    assert.equal(read("#8e24aa"), "#8e24aa");
    assert.equal(read("rgba(142.2, 36, 170, 1)"), "#8e24aa");
    assert.equal(read("rgb(300 0 0)"), "#ff0000");
    for (const wrong of ["", "mauve", "#12345", "rgba(1.2.3)", "toString"]) assert.equal(read(wrong), undefined);
    assert.equal(presetOf("#cfae85", constants.presets), "light blond");
});

test("a link holds what differs from the beginning, and gives it back", () => {
    assert.equal(toQuery(defaults, constants).toString(), "colour=copper&variant=pretrained&model=bundled");
    const chosen = {
        ...defaults,
        colour: "#8e24aa",
        lightness: -0.5,
        second_mode: "ombre",
        second_colour: "#cfae85",
        model: "ada/hair",
    };
    const {settings, unknown} = fromQuery(toQuery(chosen, constants), defaults, constants);
    assert.deepEqual(settings, chosen);
    assert.deepEqual(unknown, []);
});

test("what the page does not offer is named and left out", () => {
    const query = new URLSearchParams("colour=mauve&strength=2&variant=third&vividness=&lightness=x&second_mode=none");
    const {settings, unknown} = fromQuery(query, defaults, constants);
    assert.deepEqual(settings, defaults);
    assert.deepEqual(unknown, ["the colour mauve", "the variant third", "the strength 2", "the lightness x"]);
});

test("changed finer settings are counted", () => {
    assert.equal(countChanged({...defaults, colour: "#000000", strength: 0.5}, defaults), 0);
    assert.equal(countChanged({...defaults, lightness: 0.5, second_mode: "ombre"}, defaults), 2);
});
