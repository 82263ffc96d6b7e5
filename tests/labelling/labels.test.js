import assert from "node:assert/strict";
import {test} from "node:test";
import {drawLabels, HAIR, Labels, MAX_UNDO, OTHER, readArea, UNLABELLED} from "../../hairseg/labelling/labels.js";

const blank = (width = 9, height = 7) => new Labels(new Uint8Array(width * height), width, height);

/** @param {Labels} labels @param {number} value @param {[number, number][]} points @param {number} radius */
const paint = (labels, value, points, radius = 1) => {
    labels.begin(value, radius, points[0]);
    for (const point of points.slice(1)) labels.extend(point);
    return labels.finish();
};
const painted = ({values}, value) => [...values.keys()].filter(at => values[at] === value);

test("a stroke paints the pixels whose centres are within its radius", () => {
    const labels = blank();
    paint(labels, HAIR, [
        [2.5, 3.5],
        [5.5, 3.5],
    ]);
    assert.deepEqual(painted(labels, HAIR), [20, 21, 22, 23, 28, 29, 30, 31, 32, 33, 38, 39, 40, 41]);
    assert.ok(labels.isEdited);
});

test("strokes are clipped to the photo, and strokes outside of it are ignored", () => {
    const labels = blank();
    paint(labels, UNLABELLED, [
        [-3, 0.5],
        [1, 0.5],
    ]);
    assert.deepEqual(painted(labels, UNLABELLED), [0, 1, 9]);
    assert.equal(paint(labels, HAIR, [[-5, -5]]), null);
    assert.equal(labels.strokes.length, 1);
});

test("undo restores the previous labels, stroke by stroke", () => {
    const labels = new Labels(new Uint8Array(63).fill(UNLABELLED), 9, 7);
    paint(labels, HAIR, [[4.5, 3.5]], 2);
    const once = labels.values.slice();
    paint(
        labels,
        OTHER,
        [
            [0, 3.5],
            [9, 3.5],
        ],
        1,
    );
    labels.undo();
    assert.deepEqual(labels.values, once);
    labels.undo();
    assert.equal(painted(labels, UNLABELLED).length, 63);
    labels.undo();
});

test("a snapped stroke stays below later ones", () => {
    const labels = blank();
    const first = paint(labels, HAIR, [[2.5, 3.5]]);
    paint(labels, OTHER, [[3.5, 3.5]], 0.6);
    labels.replace(first, {left: 3, top: 3, width: 2, height: 1, painted: Uint8Array.of(1, 1)});
    assert.deepEqual(painted(labels, HAIR), [31]); // 30 lies below the second stroke
    labels.undo();
    assert.deepEqual(painted(labels, HAIR), [30, 31]);
    labels.undo();
    labels.replace(first, {left: 0, top: 0, width: 1, height: 1, painted: Uint8Array.of(1)});
    assert.deepEqual(painted(labels, HAIR), []);
});

test("the oldest strokes can no longer be undone", () => {
    const labels = blank(MAX_UNDO + 5, 1);
    for (let column = 0; column < MAX_UNDO + 2; column += 1) paint(labels, HAIR, [[column + 0.5, 0.5]], 0.5);
    for (let step = 0; step < MAX_UNDO + 2; step += 1) labels.undo();
    assert.deepEqual(painted(labels, HAIR), [0, 1]);
});

test("bits of a window are unpacked as NumPy packs them", () => {
    const bits = Buffer.from([0b10100000, 0b01000000]).toString("base64"); // np.packbits of 1 0 1 0 0 0 0 0 0 1
    assert.deepEqual(readArea({window: [3, 4, 5, 2], bits}), {
        left: 3,
        top: 4,
        width: 5,
        height: 2,
        painted: Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0, 0, 1),
    });
});

test("hair has an outline, and only the visible part is drawn", () => {
    const labels = new Labels(Uint8Array.of(OTHER, OTHER, HAIR, HAIR, UNLABELLED, OTHER, HAIR, HAIR), 4, 2);
    const pixels = new Uint32Array(8);
    drawLabels(pixels, 4, 2, labels, {scale: 1, x: 0, y: 0});
    assert.equal(new Set([pixels[2], pixels[6]]).size, 1); // outline
    assert.equal(new Set([pixels[3], pixels[7]]).size, 1); // fill
    assert.equal(new Set(pixels).size, 4); // and transparent, and not labelled
    assert.deepEqual([pixels[0], pixels[1], pixels[5]], [0, 0, 0]);
    drawLabels(pixels, 4, 2, labels, {scale: 2, x: 0.5, y: 0.5});
    assert.equal(new Set(pixels).size, 1);
});
