import assert from "node:assert/strict";
import {test} from "node:test";
import {BLUE, colourOf, GREY, ORANGE, paint} from "../../hairseg/page/studio/overlay.js";

test("orange is only from scratch, blue only pretrained, grey both", () => {
    assert.equal(colourOf("difference", true, false, false), ORANGE);
    assert.equal(colourOf("difference", false, true, false), BLUE);
    assert.equal(colourOf("difference", true, true, true), GREY);
    assert.equal(colourOf("difference", false, false, true), null);
});

test("the wipe shows the network from scratch on the left and the pretrained one on the right", () => {
    assert.equal(colourOf("wipe", true, true, true), ORANGE);
    assert.equal(colourOf("wipe", true, true, false), BLUE);
    assert.equal(colourOf("wipe", false, true, true), null);
});

const size = 24;
const mask = isHair => {
    const pixels = new Uint8ClampedArray(4 * size * size);
    for (let index = 0; index < size * size; index += 1) pixels[4 * index] = isHair(index % size) ? 255 : 0;
    return pixels;
};

test("regions are told apart without colour: stripes lean either way, agreement is plain", () => {
    const pixels = new Uint8ClampedArray(4 * size * size).fill(120);
    const random = mask(column => column < 16);
    const pretrained = mask(column => column >= 8);
    paint(pixels, random, pretrained, {width: size, view: "difference", cut: 0.5});
    const red = (row, column) => pixels[4 * (row * size + column)];
    const stripes = (from, lean) => {
        for (let row = 1; row < size; row += 1) {
            for (let column = from + 1; column < from + 7; column += 1) {
                assert.equal(red(row, column), red(row - 1, column + lean));
            }
        }
        return new Set(Array.from({length: size}, (_, row) => red(row, from + 3))).size;
    };
    assert.equal(stripes(0, 1), 2); // from scratch
    assert.equal(stripes(16, -1), 2); // pretrained
    assert.equal(new Set(Array.from({length: size}, (_, row) => red(row, 12))).size, 1); // both
});

test("a wipe leaves the photo alone where there is no hair", () => {
    const pixels = new Uint8ClampedArray(4 * size * size).fill(77);
    paint(
        pixels,
        mask(() => false),
        mask(column => column > 20),
        {width: size, view: "wipe", cut: 0.5},
    );
    assert.equal(pixels[4 * 3], 77);
    assert.notEqual(pixels[4 * 22], 77);
});
