// How many are before this visitor. Gradio's queue tells its own client so, in messages that belong to calls of the page's
// functions; they are read here on their way, and said in our words where the call's result will stand.

hairseg.waiting = {
    PATIENCE: 500,  // milliseconds that nothing is said: most calls begin sooner

    calls: new Map(),  // number of a function -> {id, since} of its latest call

    ranks: new Map(),  // id of a call -> how many calls wait before it

    words: rank => rank === 0 ? "you are next" : `${rank} before you`,

    joined(number, id) {
        hairseg.waiting.calls.set(number, {id, since: performance.now()});
        setTimeout(hairseg.waiting.tell, hairseg.waiting.PATIENCE + 1);
    },

    refused(number) {  // the queue is full
        if (!hairseg.photo || !hairseg.waiting.places(number).some(empty => empty.textContent)) return;
        hairseg.photoInput.back("Too many visitors are waiting just now: try again in a minute.");
    },

    heard({msg, event_id, rank}) {
        const {ranks} = hairseg.waiting;
        if (msg === "estimation" && event_id) ranks.set(event_id, rank);
        else if (msg === "process_starts" || msg === "process_completed") ranks.delete(event_id);
        else return;
        hairseg.waiting.tell();
    },

    tell() {
        const {calls, ranks, words, PATIENCE} = hairseg.waiting;
        const waits = /^Waiting for your turn: /;
        let aside = "";
        for (const [number, {id, since}] of calls) {
            const rank = hairseg.photo && performance.now() - since > PATIENCE ? ranks.get(id) : null;
            let told = false;
            for (const empty of hairseg.waiting.places(number)) {
                const [work] = empty.textContent.split(" · "), text = Number.isInteger(rank) ? `${work} · ${words(rank)}` : work;
                if (!work) continue;  // its picture is there already
                told = true;
                if (empty.textContent !== text) empty.textContent = text;
            }
            if (Number.isInteger(rank) && !told) aside = `Waiting for your turn: ${words(rank)}.`;
        }
        if (aside ? hairseg.said() !== aside : waits.test(hairseg.said())) hairseg.say(aside);
    },

    places(number) {  // where the tiles of a function's results say what goes on
        return hairseg.partsOf(number).outputs.map(name => document.querySelector(`#${name} .tile .empty`)).filter(Boolean);
    },
};
