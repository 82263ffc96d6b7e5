import assert from "node:assert/strict";
import {test} from "node:test";
import {roundFraction} from "../../hairseg/page/studio/brush.js";
import {rateOf} from "../../hairseg/page/live/live.js";

test("points are rounded and stay within reach of the photo", () => {
    assert.deepEqual([0.123456, -9, 9].map(roundFraction), [0.1235, -0.25, 1.25]);
});

test("the rate of pictures is that of the last seconds", () => {
    assert.equal(rateOf([0, 500, 1000]), 2);
    assert.equal(rateOf([7]), 0);
    assert.equal(rateOf([]), 0);
});
