import assert from "node:assert/strict";
import {test} from "node:test";
import {callUntilAnswered, LOGGED_OUT, LOST, latestOnly, pause, reasonOfLoss} from "../../hairseg/page/studio/calls.js";

test("a lost call is repeated until it is answered, and the loss is told once it is over", async () => {
    const answers = [undefined, new Error("offline"), {src: "a.jpg"}];
    const told = [];
    const answer = await callUntilAnswered(
        async () => {
            const next = answers.shift();
            if (next instanceof Error) throw next;
            return next;
        },
        {isWanted: () => true, onLost: () => told.push("lost"), onReached: () => told.push("reached"), retryMs: 1},
    );
    assert.deepEqual(answer, {src: "a.jpg"});
    assert.deepEqual(told, ["lost", "lost", "reached"]);
});

test("an answer that is no longer wanted is dropped, and not asked for again", async () => {
    let isWanted = true;
    let calls = 0;
    const call = async () => {
        calls += 1;
        isWanted = false;
        return {src: "old.jpg"};
    };
    const options = {isWanted: () => isWanted, onLost: () => {}, onReached: () => {}, retryMs: 1};
    assert.equal(await callUntilAnswered(call, options), undefined);
    assert.equal(await callUntilAnswered(call, options), undefined);
    assert.equal(calls, 1);
});

test("a lost login is distinguished from an unreachable server", async context => {
    const asked = [];
    const answers = [{status: 401}, {status: 200}, new Error("offline")];
    context.mock.method(globalThis, "fetch", async address => {
        asked.push(address);
        const next = answers.shift();
        if (next instanceof Error) throw next;
        return next;
    });
    const reasons = [];
    for (let number = 0; number < 3; number += 1) reasons.push(await reasonOfLoss("/hair/gradio_api"));
    assert.deepEqual(reasons, [LOGGED_OUT, LOST, LOST]);
    assert.deepEqual(asked, Array(3).fill("/hair/gradio_api/login_check"));
});

test("ten quick wishes run twice: the first, and the last", async () => {
    let wish = 0;
    const done = [];
    const run = latestOnly(async () => {
        const own = wish;
        await pause(5);
        done.push(own);
    });
    const runs = Array.from({length: 10}, () => {
        wish += 1;
        return run();
    });
    await Promise.all(runs);
    assert.deepEqual(done, [1, 10]);
});

test("a run that fails does not block the next one", async () => {
    let calls = 0;
    const run = latestOnly(async () => {
        calls += 1;
        if (calls === 1) throw new Error("failed");
    });
    await assert.rejects(run());
    await run();
    assert.equal(calls, 2);
});
