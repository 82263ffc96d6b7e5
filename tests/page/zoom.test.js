import assert from "node:assert/strict";
import {test} from "node:test";
import {clampView, MAX_SCALE, panBy, viewOf, WHOLE, windowOf, zoomBy} from "../../hairseg/page/studio/zoom.js";

const near = (found, expected) => {
    for (const [index, value] of found.entries()) assert.ok(Math.abs(value - expected[index]) < 1e-9);
};

test("the point under the pointer stays where it is", () => {
    const view = zoomBy(WHOLE, 4, [0.25, 0.5]);
    near([view.x + 0.25 / view.scale, view.y + 0.5 / view.scale], [0.25, 0.5]);
    const closer = zoomBy(view, 2, [0.9, 0.1]);
    near([closer.x + 0.9 / 8, closer.y + 0.1 / 8], [view.x + 0.9 / 4, view.y + 0.1 / 4]);
});

test("a view never leaves the photo", () => {
    near(windowOf(panBy(zoomBy(WHOLE, 2), 5, -5)), [0, 0.5, 0.5, 1]);
    assert.deepEqual(zoomBy(WHOLE, 0.1), {...WHOLE});
    assert.equal(zoomBy(WHOLE, 1000).scale, MAX_SCALE);
    assert.deepEqual(clampView({scale: 2, x: -1, y: 9}), {scale: 2, x: 0, y: 0.5});
});

test("dragging moves the picture with the pointer", () => {
    const view = {scale: 4, x: 0.5, y: 0.5};
    near(windowOf(panBy(view, 0.2, 0)).slice(0, 2), [0.45, 0.5]);
});

test("a box around the heads becomes a view of it", () => {
    near(windowOf(viewOf([0.4, 0.1, 0.65, 0.35])), [0.4, 0.1, 0.65, 0.35]);
    assert.equal(viewOf(null), WHOLE);
});
