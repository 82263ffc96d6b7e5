import assert from "node:assert/strict";
import {test} from "node:test";
import {pinch} from "../../hairseg/page/studio/gestures.js";
import {WHOLE} from "../../hairseg/page/studio/zoom.js";

const fingers = (middle, half, row) => [middle - half, middle + half].map(column => [column, row]);

const near = (view, expected) => {
    for (const [name, value] of Object.entries(expected)) assert.ok(Math.abs(view[name] - value) < 1e-9, name);
};

test("two fingers zoom by the ratio of their distances, around their middle", () => {
    near(pinch(WHOLE, fingers(0.5, 0.1, 0.5), fingers(0.5, 0.2, 0.5), 1), {scale: 2, x: 0.25, y: 0.25});
});

test("two fingers that keep their distance drag the picture", () => {
    const view = pinch({scale: 2, x: 0.25, y: 0.25}, fingers(0.5, 0.1, 0.4), fingers(0.6, 0.1, 0.5), 1.5);
    near(view, {scale: 2, x: 0.2, y: 0.2});
});
