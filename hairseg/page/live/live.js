/**
 * The tab "Live". At most `pending` frames are in flight. They are sent at the rate at which the server processes them, which
 * keeps the delay short. Every start makes a new stream object; answers to another one are dropped.
 *
 * `shown` is the time at which the displayed frame was taken, `due` the time at which the next one may be sent, and
 * `processing` the time that the server took for the last one, in milliseconds.
 *
 * @typedef {{times: number[], shown: number, due: number, processing: number, camera?: MediaStream, name?: string, ends?: number, delay?: number, clock?: number, isFrozen?: boolean}} Stream
 */
import {pause} from "../studio/calls.js";
import {countDown, markSwatch} from "../studio/dialog.js";
import {parseColour, presetOf} from "../studio/settings.js";

const LOST = "The server does not answer. Check the connection and start again.";
const REFUSED = "The camera cannot be used. Allow it for this page in the browser, then start again.";
const NONE = "No camera can be used. Connect one that no other program uses, then start again.";
const INSECURE = "The camera cannot be used: browsers allow it on https pages only.";

/** @param {number[]} times milliseconds of the last pictures @returns {number} pictures per second; 0 if unknown */
export function rateOf(times) {
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
    return span ? (1000 * (times.length - 1)) / span : 0;
}

/**
 * @param {HTMLElement} element
 * @param {Record<string, (payload: any) => Promise<any>>} server
 * @param {{side: number, pending: number, presets: Record<string, string>}} constants
 */
export function start(element, server, {side, pending, presets}) {
    /** @template {HTMLElement} [T=HTMLElement] @param {string} selector @returns {T} */
    const find = selector => /** @type {T} */ (element.querySelector(selector));
    const video = /** @type {HTMLVideoElement} */ (find("video")),
        place = find(".picture");
    const before = /** @type {HTMLCanvasElement} */ (find(".before"));
    const colour = /** @type {HTMLInputElement} */ (find("[name=colour]"));
    const strength = /** @type {HTMLInputElement} */ (find("[name=strength]"));
    /** @type {Stream | null} */
    let live = null;
    /** @type {string | undefined} the last stream, whose end the server may not have received */
    let last;
    /** @type {{facingMode: string, deviceId?: string}} front or back, or the device where cameras do not say */
    let camera = {facingMode: "user"};
    const listCameras = async () =>
        (await navigator.mediaDevices.enumerateDevices()).filter(({kind}) => kind === "videoinput");

    /** @param {string} selector @param {string} text */
    const write = (selector, text) => {
        if (find(selector).textContent !== text) find(selector).textContent = text;
    };
    /** @param {"idle" | "starting" | "live"} state */
    const show = state => {
        find(".live").dataset.state = state;
        find(".switch").textContent = state === "idle" ? "Start the camera" : "Stop";
        for (const selector of [".freeze", ".timer", ".compare", ".keep"]) find(selector).hidden = state !== "live";
        find(".turn").hidden = true;
        for (const selector of [".left", ".rate"]) write(selector, "");
        if (state !== "live") place.replaceChildren();
        press(".freeze", false);
        press(".compare", false);
        before.hidden = true;
    };
    /** @param {string} selector @param {boolean} isOn */
    const press = (selector, isOn) => find(selector).setAttribute("aria-pressed", String(isOn));

    /** @param {Stream} stream @param {string} [sentence] */
    const stop = (stream, sentence = "") => {
        for (const track of stream.camera?.getTracks() ?? []) track.stop();
        clearInterval(stream.clock);
        if (stream.name) server.end_stream(stream.name);
        if (stream !== live) return;
        live = video.srcObject = null;
        show("idle");
        write(".said", sentence);
    };

    const begin = async () => {
        /** @type {Stream} */
        const stream = {times: [], shown: 0, due: 0, processing: 0};
        live = stream;
        show("starting");
        write(".said", "Starting the camera");
        try {
            if (!navigator.mediaDevices) return stop(stream, INSECURE);
            const wanted = {...camera, width: {ideal: 640}, height: {ideal: 480}};
            stream.camera = await navigator.mediaDevices.getUserMedia({audio: false, video: wanted});
            if (stream !== live) return stop(stream); // stopped while the browser asked for permission
            video.srcObject = stream.camera;
            await video.play();
        } catch (error) {
            return stop(stream, /** @type {Error} */ (error).name === "NotAllowedError" ? REFUSED : NONE);
        }
        const [track] = stream.camera.getVideoTracks();
        track.addEventListener("ended", () => stop(stream, "The camera was disconnected."));
        find(".live").dataset.facing = track.getSettings().facingMode;
        const cameras = await listCameras();
        if (last) await server.end_stream(last);
        const begun = await server.begin_stream(new URLSearchParams(location.search).get("model"));
        stream.name = last = begun?.stream;
        if (!stream.name || stream !== live) return stop(stream, begun?.error || LOST);
        stream.ends = performance.now() + 1000 * begun.seconds;
        stream.clock = window.setInterval(() => tick(stream, begun.seconds), 250);
        show("live");
        find(".turn").hidden = cameras.length < 2;
        write(".said", "");
        const sendFrames = async () => {
            const canvas = document.createElement("canvas");
            while (stream === live) {
                const now = performance.now(),
                    sendAt = Math.max(now, stream.due);
                stream.due = sendAt + stream.processing;
                await pause(sendAt - now);
                if (stream === live) await next(stream, canvas);
            }
        };
        await Promise.all(Array.from({length: pending}, sendFrames));
    };

    /** Take, send and show one frame. @param {Stream} stream @param {HTMLCanvasElement} canvas */
    const next = async (stream, canvas) => {
        if (stream.isFrozen) return pause(100);
        const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
        canvas.width = Math.max(1, Math.floor(video.videoWidth * scale));
        canvas.height = Math.max(1, Math.floor(video.videoHeight * scale));
        canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
        const taken = performance.now();
        const answer = await server.recolour_frame({
            stream: stream.name,
            frame: canvas.toDataURL("image/jpeg", 0.85).split(",")[1],
            colour: colour.value,
            strength: Number(strength.value),
            variant: /** @type {HTMLInputElement} */ (find("[name=live-variant]:checked")).value,
            model: new URLSearchParams(location.search).get("model"),
        });
        if (stream !== live) return;
        if (!answer?.picture) return stop(stream, answer?.ended || answer?.error || LOST);
        stream.processing = answer.ms;
        if (stream.isFrozen || taken < stream.shown) return;
        stream.shown = taken;
        const image = new Image();
        image.src = `data:image/jpeg;base64,${answer.picture}`;
        image.alt = "Your camera, recoloured";
        place.replaceChildren(image);
        await image.decode().catch(() => null);
        if (stream !== live || stream.shown !== taken) return;
        Object.assign(before, {width: canvas.width, height: canvas.height});
        before.getContext("2d")?.drawImage(canvas, 0, 0);
        const now = performance.now();
        stream.times = [...stream.times.filter(time => now - time < 3000), now];
        stream.delay = now - taken;
        write(".said", answer.is_empty ? "No hair is found in this picture." : "");
    };

    /** @param {Stream} stream @param {number} seconds */
    const tick = (stream, seconds) => {
        const left = Math.ceil(((stream.ends ?? 0) - performance.now()) / 1000);
        if (left <= 0) return stop(stream, `The ${seconds} seconds are over. Start again if you like.`);
        write(".left", `${left} s left`);
        const rate = rateOf(stream.times);
        if (rate)
            write(
                ".rate",
                `${rate.toFixed(rate < 10 ? 1 : 0)} pictures a second, ${Math.round(stream.delay ?? 0)} ms delay`,
            );
    };

    find(".switch").addEventListener("click", () => (live ? stop(live) : begin()));
    find(".turn").addEventListener("click", async () => {
        const stream = live,
            cameras = await listCameras();
        if (!stream?.camera || stream !== live) return;
        const {facingMode, deviceId} = stream.camera.getVideoTracks()[0].getSettings();
        const other = (cameras.findIndex(each => each.deviceId === deviceId) + 1) % cameras.length;
        stop(stream);
        camera = {
            facingMode: camera.facingMode === "user" ? "environment" : "user",
            deviceId: facingMode ? undefined : cameras[other].deviceId,
        };
        begin();
    });
    /** @param {boolean} isFrozen */
    const freeze = isFrozen => {
        if (live) live.isFrozen = isFrozen;
        press(".freeze", isFrozen);
    };
    find(".freeze").addEventListener("click", () => freeze(!live?.isFrozen));
    find(".timer").addEventListener("click", () => {
        const stream = live;
        freeze(false);
        countDown(find(".timer"), {isWanted: () => stream === live, act: () => freeze(true)});
    });
    find(".compare").addEventListener("click", () => {
        before.hidden = !before.hidden;
        press(".compare", !before.hidden);
    });
    find(".keep").addEventListener("click", () =>
        before.toBlob(
            blob => {
                const input = /** @type {HTMLInputElement | null} */ (
                    document.querySelector("#photo input[type=file]")
                );
                if (!blob || !input) return;
                const files = new DataTransfer();
                files.items.add(new File([blob], "live.jpg", {type: "image/jpeg"}));
                input.files = files.files;
                input.dispatchEvent(new Event("change"));
                /** @type {HTMLElement} */ (document.querySelector("#tabs [role=tab]")).click();
            },
            "image/jpeg",
            0.95,
        ),
    );
    /** @param {string} [sentence] */
    const leave = sentence => live && stop(live, sentence);
    document.addEventListener(
        "visibilitychange",
        () => document.hidden && leave("Stopped because the page was out of sight."),
    );
    window.addEventListener("pagehide", () => leave());

    // The address holds what is chosen under "Try it". Colours chosen here stay here.
    /** @type {string | null} */
    let followed = null;
    const mark = () => markSwatch(element, presetOf(colour.value, presets));
    const follow = () => {
        if (followed === location.search) return;
        followed = location.search;
        const query = new URLSearchParams(followed);
        colour.value = parseColour(query.get("colour") ?? "", presets) ?? presets.copper;
        strength.value = query.get("strength") ?? "1";
        const variant = query.get("variant") === "random" ? "random" : "pretrained";
        /** @type {HTMLInputElement} */ (find(`[value=${variant}]`)).checked = true;
        mark();
    };
    element.addEventListener("click", event => {
        const preset = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.preset;
        if (!preset) return;
        colour.value = presets[preset];
        mark();
    });
    colour.addEventListener("input", mark);
    new IntersectionObserver(() => {
        if (element.checkVisibility()) follow();
        else leave(); // another tab of the page is open
    }).observe(element);
    follow();
    mark();
    show("idle");
}
