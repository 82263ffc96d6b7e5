// The server's messages about the calls of its functions, on their way to Gradio's client, which is given one stream of them
// that never ends.
//
// The server's own ends once every call is answered. Gradio's client takes it for open until it has read so, and would never
// hear of what it calls meanwhile, nor of any later call of that function. Where a stream breaks off, or a call does not get
// through, the client loads the whole page anew, and the photo would be gone.

hairseg.messages = {
    open: new Map(),  // id of a call without an answer -> number of its function

    early: new Set(),  // ids of calls that were answered before they were known here

    wake() {},  // there is an open call

    controller: null,  // of the stream that Gradio's client reads

    connect: null,  // to the server's stream

    called(number, id) {
        const {open, early, wake} = hairseg.messages;
        if (early.delete(id)) return;
        open.set(id, number);
        wake();
    },

    tell(message) {
        const text = `data: ${JSON.stringify(message)}\n\n`;
        try {
            hairseg.messages.controller.enqueue(new TextEncoder().encode(text));
        } catch {}  // Gradio's client has let go of its stream, and opens another with the next call
    },

    stream(connect) {  // a response for Gradio's client; a later one takes the place of one before
        const {messages} = hairseg, isFirst = !messages.connect;
        const body = new ReadableStream({start: controller => void (messages.controller = controller)});
        messages.connect = connect;
        if (isFirst) messages.relay();
        return new Response(body, {headers: {"Content-Type": "text/event-stream"}});
    },

    async relay() {  // a connection to the server whenever a call is open
        const {open, tell, follow, unreachable} = hairseg.messages;
        for (;;) {
            if (!open.size) await new Promise(resolve => hairseg.messages.wake = resolve);
            try {
                await follow(await hairseg.messages.connect());
            } catch {
                for (const [id, number] of open) {
                    unreachable(number);
                    tell({msg: "process_completed", event_id: id, success: false, output: {error: "no answer", visible: false}});
                }
                open.clear();
            }
        }
    },

    async follow({ok, body}) {  // server-sent events until the server ends them: "data: " and JSON, an empty line after each
        const {open, early, tell} = hairseg.messages;
        if (!ok) throw new Error("no stream");
        const reader = body.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = ""; ;) {
            const {done, value} = await reader.read();
            if (done) throw new Error("the stream has broken off");
            const events = (rest + value).split("\n\n");
            rest = events.pop();
            for (const event of events.filter(event => event.startsWith("data:"))) {
                const message = JSON.parse(event.slice(5)), {msg, event_id} = message;
                if (msg === "close_stream") return;
                if (msg === "unexpected_error") throw new Error(message.message);
                if (msg === "process_completed") {
                    if (!message.success) hairseg.dropped(open.get(event_id));
                    if (!open.delete(event_id)) early.add(event_id);
                }
                hairseg.waiting.heard(message);
                tell(message);
            }
        }
    },

    LOST: "The server does not answer: check the connection",

    elseSaid: () => hairseg.said().split(hairseg.messages.LOST)[0].trim(),

    sayLost() {
        hairseg.say(`${hairseg.messages.elseSaid()} ${hairseg.messages.LOST}. It is asked again by itself.`.trim());
    },

    reached() {
        if (hairseg.said().includes(hairseg.messages.LOST)) hairseg.say(hairseg.messages.elseSaid());
    },

    AGAIN: 3000,  // milliseconds after which what did not come is asked for again

    timers: {},  // that do so, by what is asked for

    quiet: null,  // the timer after which Gradio may say again what failed

    unreachable(number) {  // for the call of a function
        const {messages, photo, look} = hairseg, {outputs} = hairseg.partsOf(number);
        document.body.classList.add("hairseg-unreachable");  // Gradio says so of every single call
        clearTimeout(messages.quiet);
        messages.quiet = setTimeout(() => document.body.classList.remove("hairseg-unreachable"), 4 * messages.AGAIN);
        const again = (what, ask) => {
            messages.sayLost();
            clearTimeout(messages.timers[what]);
            messages.timers[what] = setTimeout(ask, messages.AGAIN);
        };
        if (outputs.includes("networks")) again("networks", hairseg.askNetworks);
        if (outputs.includes("delivery")) again("delivery", hairseg.takeAgain);
        if (photo && hairseg.waiting.places(number).length) {
            again("photo", () => {
                if (hairseg.look !== look) return;
                hairseg.photo.said = messages.elseSaid();
                hairseg.photoInput[hairseg.photo.isSeen ? "ask" : "again"]();
            });
        }
    },
};

{
    const fetched = window.fetch;
    window.fetch = async (address, options) => {
        const {pathname, href} = new URL(address.url || address, window.location.href);
        if (pathname.endsWith("/queue/data")) return hairseg.messages.stream(() => fetched.call(window, href));
        if (!/\/(queue\/join|run\/\w+)\/?$/.test(pathname)) return fetched.call(window, address, options);
        const {fn_index} = JSON.parse(options.body);
        try {
            const answer = await fetched.call(window, address, options);
            if (!answer.ok) hairseg.dropped(fn_index);
            if (answer.status === 503) hairseg.waiting.refused(fn_index);
            if (answer.ok && pathname.endsWith("/queue/join")) {
                const {event_id} = await answer.clone().json();
                hairseg.messages.called(fn_index, event_id);
                hairseg.waiting.joined(fn_index, event_id);
            }
            return answer;
        } catch {
            hairseg.messages.unreachable(fn_index);
            return new Response("{}", {status: 500});
        }
    };
}

// Gradio fetches the scripts of charts when they are first shown, and does not try again.
window.addEventListener("unhandledrejection", ({reason}) => {
    if (!/dynamically imported module|importing a module script/i.test(reason?.message)) return;
    const tab = [...document.querySelectorAll("#tabs [role=tabpanel]")].find(panel => panel.checkVisibility());
    if (!tab || tab.querySelector(".missing")) return;
    const missing = Object.assign(document.createElement("p"), {className: "missing", role: "alert"});
    missing.textContent = "Part of this tab did not come over the connection. Load the page again to see it.";
    tab.prepend(missing);
});
