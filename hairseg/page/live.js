// The tab "Live": the camera's frames go to the server and come back recoloured, one at a time. So the rate is what the machine gives,
// and nothing piles up. Every start makes a stream of its own; whatever comes for another one than the present is not shown.

hairseg.live = (element, server) => {
    const at = selector => element.querySelector(selector);
    const video = at("video"), place = at(".picture"), button = at(".switch"), canvas = document.createElement("canvas");
    const colour = at("[name=colour]"), strength = at("[name=strength]");
    const side = Number(at(".live").dataset.side);
    const LOST = "The server does not answer: check the connection and start again.";
    const REFUSED = "The camera cannot be used: allow it for this page in the browser, then start again.";
    const NONE = "No camera can be used: connect one that no other program uses, then start again.";
    const INSECURE = "The camera cannot be used: browsers give it only to pages over https.";
    let live = null;  // the present stream: {camera, name, ends, times, behind, clock}
    let before = null;  // name of the one before, of whose end the server may not have heard

    const write = (selector, text) => {
        if (at(selector).textContent !== text) at(selector).textContent = text;
    };
    const show = state => {  // "idle", "starting" or "live"
        at(".live").dataset.state = state;
        button.textContent = state === "idle" ? "Start the camera" : "Stop";
        for (const selector of [".left", ".rate"]) write(selector, "");
        if (state !== "live") hairseg.fill(place, null);
    };

    // ---- one stream ----

    const stop = (stream, sentence = "") => {
        stream.camera?.getTracks().forEach(track => track.stop());
        clearInterval(stream.clock);
        if (stream.name) server.end_stream(stream.name);
        if (stream !== live) return;
        live = video.srcObject = null;
        show("idle");
        write(".said", sentence);
    };

    const start = async () => {
        const stream = live = {times: []};
        show("starting");
        write(".said", "Starting the camera");
        try {
            if (!navigator.mediaDevices) return stop(stream, INSECURE);
            const wanted = {facingMode: "user", width: {ideal: 640}, height: {ideal: 480}};
            stream.camera = await navigator.mediaDevices.getUserMedia({audio: false, video: wanted});
            if (stream !== live) return stop(stream);  // stopped while the browser asked for permission
            video.srcObject = stream.camera;
            await video.play();
        } catch (error) {
            return stop(stream, error.name === "NotAllowedError" ? REFUSED : NONE);
        }
        stream.camera.getVideoTracks()[0].addEventListener("ended", () => stop(stream, "The camera has gone."));
        if (before) await server.end_stream(before);
        const begun = await server.begin_stream(hairseg.model);
        stream.name = before = begun?.stream;
        if (!stream.name || stream !== live) return stop(stream, begun?.error || LOST);
        stream.ends = performance.now() + 1000 * begun.seconds;
        stream.clock = setInterval(() => tick(stream, begun.seconds), 250);
        show("live");
        write(".said", "");
        while (stream === live) await next(stream);
    };

    const next = async stream => {
        const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
        canvas.width = Math.max(1, Math.floor(video.videoWidth * scale));
        canvas.height = Math.max(1, Math.floor(video.videoHeight * scale));
        canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
        const taken = performance.now();
        const answer = await server.recolour_frame({
            stream: stream.name,
            frame: canvas.toDataURL("image/jpeg", 0.85).split(",")[1],
            colour: colour.value,
            strength: Number(strength.value),
            variant: at("[name=live-variant]:checked").value,
            model: hairseg.model,
        });
        if (stream !== live) return;
        if (!answer?.picture) return stop(stream, answer?.ended || answer?.error || LOST);
        hairseg.fill(place, `data:image/jpeg;base64,${answer.picture}`, "The camera's picture, recoloured");
        await place.querySelector("img").decode().catch(() => null);  // replaced or removed meanwhile
        if (stream !== live) return;
        const now = performance.now();
        stream.times = [...stream.times.filter(time => now - time < 3000), now];
        stream.behind = now - taken;
        write(".said", answer.bald ? "No hair is found in this picture." : "");
    };

    const tick = (stream, seconds) => {
        const left = Math.ceil((stream.ends - performance.now()) / 1000), {times, behind} = stream;
        if (left <= 0) return stop(stream, `The ${seconds} seconds are over. Start again if you like.`);
        write(".left", `${left} s left`);
        if (times.length < 2) return;
        const rate = 1000 * (times.length - 1) / (times.at(-1) - times[0]);
        write(".rate", `${rate.toFixed(rate < 10 ? 1 : 0)} frames a second, ${Math.round(behind)} ms behind`);
    };

    button.addEventListener("click", () => live ? stop(live) : start());
    const leave = sentence => live && stop(live, sentence);
    document.addEventListener("visibilitychange", () => document.hidden && leave("Stopped, because the page was out of sight."));
    window.addEventListener("pagehide", () => leave());

    // ---- colour, strength and variant: those of "Try it", until others are chosen here; the colour is that tab's, too ----

    let followed = {};
    const mark = () => {
        for (const swatch of element.querySelectorAll("[data-preset]")) {
            swatch.setAttribute("aria-pressed", String(PRESETS[swatch.dataset.preset] === colour.value));
        }
    };
    const follow = () => {
        if (!hairseg.chosen) return;
        const {colour: shade, strength: share, variant} = hairseg.chosen;
        if (shade !== followed.colour) colour.value = shade;
        if (share !== followed.strength) strength.value = share;
        if (variant !== followed.variant) at(`[value=${variant}]`).checked = true;
        followed = hairseg.chosen;
        mark();
    };
    const choose = () => {
        hairseg.pick(colour.value);
        mark();
    };
    element.addEventListener("click", event => {
        const {preset} = event.target.closest("[data-preset]")?.dataset || {};
        if (!preset) return;
        colour.value = PRESETS[preset];
        choose();
    });
    colour.addEventListener("input", choose);
    new IntersectionObserver(() => {
        if (element.checkVisibility()) follow();
        else leave();  // another tab of the page is shown
    }).observe(element);
    mark();
    follow();
    show("idle");
};
