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
        const line = document.querySelector("#photo .alert"), waits = /^Waiting for your turn: /;
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
        if (aside ? line?.textContent !== aside : waits.test(line?.textContent)) hairseg.say(aside);
    },

    places(number) {  // where the tiles of a function's results say what goes on
        const {dependencies, components} = window.gradio_config;
        const {outputs = []} = dependencies.find(({id}) => id === number) || {};
        const names = components.filter(({id}) => outputs.includes(id)).map(({props}) => props.elem_id);
        return names.map(name => name && document.querySelector(`#${name} .tile .empty`)).filter(Boolean);
    },

    AGAIN: 3000,  // milliseconds after which pictures that did not come are asked for again

    retry: null,  // the timer that does so

    quiet: null,  // the timer after which Gradio may say again what failed

    // Gradio loads the whole page anew once the server answers again, and the photo would be gone: so it is not told.
    unreachable(number) {  // for the call of a function
        const {photo, look} = hairseg, lost = "The server does not answer: check the connection";
        document.body.classList.add("hairseg-unreachable");  // Gradio says so of every single call
        clearTimeout(hairseg.waiting.quiet);
        hairseg.waiting.quiet = setTimeout(() => document.body.classList.remove("hairseg-unreachable"), 4 * hairseg.waiting.AGAIN);
        if (!photo || !hairseg.waiting.places(number).length) return hairseg.say(`${lost}, then try again.`);
        hairseg.say(`${lost}. It is asked again by itself.`);
        clearTimeout(hairseg.waiting.retry);
        hairseg.waiting.retry = setTimeout(() => {
            if (hairseg.look === look) hairseg.photoInput[hairseg.photo.isSeen ? "ask" : "again"]();
        }, hairseg.waiting.AGAIN);
    },

    async listen(stream) {  // server-sent events: "data: " and JSON, an empty line after each
        const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
            const {done, value} = await reader.read();
            if (done) return;
            const events = (rest + value).split("\n\n");
            rest = events.pop();
            for (const event of events) if (event.startsWith("data:")) hairseg.waiting.heard(JSON.parse(event.slice(5)));
        }
    },
};

{
    const fetched = window.fetch;
    window.fetch = async (address, options) => {
        const {pathname} = new URL(address.url || address, window.location.href);
        const answer = await fetched.call(window, address, options).catch(error => {
            if (!/\/(queue\/join|run\/\w+)\/?$/.test(pathname)) throw error;
            hairseg.waiting.unreachable(JSON.parse(options.body).fn_index);
            return new Response("{}", {status: 500});
        });
        if (pathname.endsWith("/queue/join")) {
            const {fn_index} = JSON.parse(options.body);
            if (answer.status === 503) hairseg.waiting.refused(fn_index);
            if (answer.ok) answer.clone().json().then(({event_id}) => hairseg.waiting.joined(fn_index, event_id)).catch(() => {});
        }
        if (answer.ok && answer.body && pathname.endsWith("/queue/data")) {
            hairseg.waiting.listen(answer.clone().body).catch(() => {});  // the visitor has gone, or the server has
        }
        return answer;
    };
}
