import assert from "node:assert/strict";
import {test} from "node:test";
import {isFull, roundFraction} from "../../hairseg/page/studio/brush.js";
import {rateOf} from "../../hairseg/page/live/live.js";

test("points are roundFraction and stay within reach of the photo", () => {
    assert.deepEqual([0.123456, -9, 9].map(roundFraction), [0.1235, -0.25, 1.25]);
});

test("an edit is full by its strokes or by their points", () => {
    const limits = {strokes: 3, points: 10, strokePoints: 4};
    const stroke = points => ({adds: true, radius: 0.1, points: new Array(2 * points).fill(0.5)});
    assert.equal(isFull([stroke(1), stroke(1)], limits), false);
    assert.equal(isFull([stroke(1), stroke(1), stroke(1)], limits), true);
    assert.equal(isFull([stroke(7)], limits), true);
});

test("the rate of pictures is that of the last seconds", () => {
    assert.equal(rateOf([0, 500, 1000]), 2);
    assert.equal(rateOf([7]), 0);
    assert.equal(rateOf([]), 0);
});
