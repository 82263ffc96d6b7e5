/**
 * The page of `hairseg label`: a strip of photos, and a brush for the labels of one of them.
 *
 * @typedef {{name: string, state: "done" | "draft" | "new", error?: string, isEdited: boolean,
 *   button: HTMLButtonElement}} Entry
 * @typedef {{entry: Entry, labels: Labels, snapping: Promise<void>}} Opened
 */
import {drawBrushOutline, oncePerFrame} from "../page/studio/canvas.js";
import {clamp, panBy, WHOLE, zoomBy} from "../page/studio/zoom.js";
import {drawLabels, HAIR, Labels, OTHER, readArea, UNLABELLED} from "./labels.js";

const LOST = "The server does not answer. Check that `hairseg label` is running, and try again.";

const STATES = {done: "done", draft: "draft", new: "no mask yet"};

const MIN_RADIUS = 0.002, // fraction of the photo's longer side
    MAX_RADIUS = 0.1;

const SNAPPED_RADIUS = 1 / 0.7; // without an edge nearby, a snapped stroke ends at 0.7 of its radius

/** @param {string} kind @param {string} name */
const addressOf = (kind, name) => new URL(`modules/${kind}/${encodeURIComponent(name)}`, document.baseURI).href;

/**
 * @param {HTMLElement} element
 * @param {{server: Record<string, (payload: any) => Promise<any>>, upload: (file: File) => Promise<{path: string}>}} gradio
 */
export async function start(element, {server, upload}) {
    /** @template {HTMLElement} [T=HTMLElement] @param {string} selector @returns {T} */
    const find = selector => /** @type {T} */ (element.querySelector(selector));
    const root = find(".labelling"),
        frame = find(".frame"),
        photo = /** @type {HTMLImageElement} */ (find(".pan img")),
        canvas = /** @type {HTMLCanvasElement} */ (find("canvas")),
        context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")),
        size = /** @type {HTMLInputElement} */ (find("[name=size]")),
        snaps = /** @type {HTMLInputElement} */ (find("[name=snap]"));

    /** @type {Entry[]} */
    let entries = [];
    let position = 0;
    /** @type {Opened | null} the photo that is shown */
    let current = null;
    /** @type {Map<Entry, Promise<Opened>>} the photo that is shown, the next one, and those with unsaved changes */
    const opened = new Map();
    let value = HAIR,
        view = WHOLE;
    /** @type {[number, number] | null} as fractions of the photo */
    let pointer = null;
    /** @type {"paint" | "move" | null} */
    let dragging = null;

    /** @param {string} text */
    const say = text => {
        find(".said").textContent = text;
    };

    // ---- the strip ----

    /** @param {Entry} entry */
    const mark = entry => {
        const {button, error, state, isEdited} = entry;
        button.className = error ? "is-bad" : isEdited ? "is-edited" : state;
        button.title = error ?? entry.name;
        /** @type {HTMLElement} */ (button.querySelector("small")).textContent =
            error ?? (isEdited ? "not saved" : STATES[state]);
        const usable = entries.filter(each => !each.error),
            bad = entries.length - usable.length;
        find(".progress").textContent =
            `${usable.filter(each => !isPending(each)).length} of ${usable.length} done` +
            (bad ? `, ${bad} cannot be used` : "");
    };
    /** @param {Entry} entry @param {string} error */
    const fail = (entry, error) => {
        entry.error = error;
        mark(entry);
    };
    /** @param {{name: string, state: Entry["state"], error?: string}} listed @param {number} index */
    const addEntry = (listed, index) => {
        const button = Object.assign(document.createElement("button"), {type: "button"});
        const image = Object.assign(document.createElement("img"), {alt: "", loading: "lazy"});
        const [name, state] = ["b", "small"].map(tag => document.createElement(tag));
        name.textContent = listed.name;
        button.append(image, name, state);
        button.addEventListener("click", () => show(index));
        const entry = {...listed, button, isEdited: false};
        image.addEventListener("error", async () => {
            const answer = await fetch(image.src).then(
                response => response.json(),
                () => null,
            );
            if (answer?.error) fail(entry, answer.error);
        });
        if (!listed.error) image.src = addressOf("thumbnails", listed.name);
        return entry;
    };
    /**
     * The next photo in one direction that can be used.
     *
     * @param {number} from @param {1 | -1} step @param {(entry: Entry) => boolean} [isWanted]
     * @returns {number} -1 if there is none
     */
    const seek = (from, step, isWanted = () => true) => {
        for (let at = from; entries[at]; at += step) {
            if (!entries[at].error && isWanted(entries[at])) return at;
        }
        return -1;
    };
    /** @param {Entry} entry */
    const isPending = entry => entry.state !== "done";
    /** The next photo without a mask, or else the first such photo. @param {number} from */
    const seekPending = from => {
        const next = seek(from, 1, isPending);
        return next < 0 ? seek(0, 1, isPending) : next;
    };

    // ---- one photo ----

    /** @param {Entry} entry @returns {Promise<Opened>} */
    const open = async entry => {
        const [response, image] = [await fetch(addressOf("labels", entry.name)), new Image()];
        if (!response.ok) throw new Error((await response.json()).error);
        const values = new Uint8Array(await response.arrayBuffer());
        image.src = addressOf("photos", entry.name);
        await image.decode();
        return {
            entry,
            labels: new Labels(values, image.naturalWidth, image.naturalHeight),
            snapping: Promise.resolve(),
        };
    };
    /** @param {Entry} entry */
    const openOnce = entry => {
        const promise = opened.get(entry) ?? open(entry);
        opened.set(entry, promise);
        promise.catch(() => opened.delete(entry));
        return promise;
    };
    /** Show a photo, or the next one that can be opened. @param {number} index */
    const show = async index => {
        const entry = entries[index];
        if (!entry) return;
        position = index;
        current = null;
        for (const each of entries) each.button.setAttribute("aria-pressed", String(each === entry));
        entry.button.scrollIntoView({block: "nearest", inline: "nearest"});
        root.classList.add("is-loading");
        find(".name").textContent = entry.name;
        setProblem(entry.error ?? "");
        if (entry.error) return;
        try {
            const result = await openOnce(entry);
            if (entries[position] !== entry) return;
            photo.src = addressOf("photos", entry.name);
            await photo.decode();
            if (entries[position] !== entry) return;
            current = result;
        } catch (error) {
            const isLost = error instanceof TypeError; // fetch got no response
            if (!isLost) fail(entry, /** @type {Error} */ (error).message);
            if (entries[position] !== entry) return;
            const pending = seekPending(index + 1),
                next = isLost ? -1 : pending < 0 ? seek(0, 1) : pending;
            if (next < 0) return setProblem(entry.error ?? LOST);
            say(`${entry.name} is skipped. ${entry.error}`);
            return show(next);
        }
        root.classList.remove("is-loading");
        frame.style.setProperty("--ratio", String(photo.naturalWidth / photo.naturalHeight));
        setView(WHOLE);
        refresh();
        prepareNext();
    };
    /** @param {string} sentence about a photo that cannot be shown, or "" */
    const setProblem = sentence => {
        find(".problem").textContent = sentence;
        root.classList.toggle("has-problem", sentence !== "");
    };
    /** Open the next photo in advance, and drop those without unsaved changes. */
    const prepareNext = async () => {
        const next = entries[seek(position + 1, 1, isPending)];
        for (const [entry, promise] of opened) {
            const isNeeded = entry === next || entry === entries[position];
            if (!isNeeded && !(await promise.catch(() => null))?.labels.isEdited) opened.delete(entry);
        }
        if (next) openOnce(next).catch(error => error instanceof TypeError || fail(next, error.message));
    };
    /** @param {1 | -1} step */
    const move = step => {
        const index = seek(position + step, step);
        say(index < 0 ? "No more photos in this direction." : "");
        if (index >= 0) show(index);
    };
    const save = async () => {
        const own = current,
            button = find("[data-do=save]");
        if (!own || dragging || button.getAttribute("aria-busy") === "true") return;
        button.setAttribute("aria-busy", "true");
        try {
            await own.snapping;
            own.labels.isEdited = false;
            const {path} = await upload(new File([/** @type {any} */ (own.labels.values)], "mask"));
            const answer = await server.save_mask({name: own.entry.name, path});
            if (!answer || answer.error) throw new Error(answer?.error ?? LOST);
        } catch (error) {
            own.labels.isEdited = true;
            return say(error instanceof TypeError ? LOST : /** @type {Error} */ (error).message || LOST);
        } finally {
            button.setAttribute("aria-busy", "false");
        }
        own.entry.state = "done";
        own.entry.isEdited = own.labels.isEdited;
        mark(own.entry);
        if (current !== own || own.labels.isEdited) return; // the user has gone on
        const next = seekPending(position + 1);
        say(`${own.entry.name} is saved.${next < 0 ? " Every photo has a mask." : ""}`);
        if (next >= 0) show(next);
    };

    // ---- drawing ----

    const radius = () => MIN_RADIUS * (MAX_RADIUS / MIN_RADIUS) ** (Number(size.value) / 100);
    const draw = () => {
        const box = canvas.getBoundingClientRect(),
            ratio = window.devicePixelRatio;
        const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
        if (!width || !height) return;
        find("output").textContent = current
            ? `${Math.round((100 * view.scale * width) / current.labels.width)} %`
            : "";
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
        context.clearRect(0, 0, width, height);
        if (!current) return;
        if (find("[data-do=hide]").getAttribute("aria-pressed") !== "true") {
            const picture = context.createImageData(width, height);
            drawLabels(new Uint32Array(picture.data.buffer), width, height, current.labels, view);
            context.putImageData(picture, 0, 0);
        }
        if (!pointer || root.classList.contains("is-moving")) return;
        const centre = /** @type {[number, number]} */ ([
            (pointer[0] - view.x) * view.scale * width,
            (pointer[1] - view.y) * view.scale * height,
        ]);
        drawBrushOutline(context, centre, radius() * Math.max(width, height) * view.scale, ratio);
    };
    const redraw = oncePerFrame(draw);
    /** @param {import("../page/studio/zoom.js").View} next */
    const setView = next => {
        view = next;
        for (const [name, number] of Object.entries(view)) frame.style.setProperty(`--${name}`, String(number));
        redraw();
    };
    const refresh = () => {
        for (const button of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-value]"))) {
            button.setAttribute("aria-pressed", String(Number(button.dataset.value) === value));
        }
        find("[data-do=undo]").setAttribute("aria-disabled", String(!current?.labels.strokes.length));
        if (current) {
            current.entry.isEdited = current.labels.isEdited;
            mark(current.entry);
        }
        redraw();
    };

    // ---- the brush ----

    /** @param {{clientX: number, clientY: number}} event @returns {[number, number]} as fractions of the frame */
    const within = ({clientX, clientY}) => {
        const box = canvas.getBoundingClientRect();
        return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
    };
    /** @param {PointerEvent} event @returns {[number, number]} as fractions of the photo */
    const pointOf = event => {
        const [u, v] = within(event);
        return [view.x + u / view.scale, view.y + v / view.scale];
    };
    /** @param {[number, number]} point @returns {[number, number]} in pixels of the photo */
    const toPixels = ([x, y]) => [x * (current?.labels.width ?? 0), y * (current?.labels.height ?? 0)];

    const finish = () => {
        const own = current,
            stroke = own?.labels.finish();
        refresh();
        if (!own || !stroke || !snaps.checked) return;
        const {width, height} = own.labels,
            request = {
                adds: true,
                radius: (stroke.radius * SNAPPED_RADIUS) / Math.max(width, height),
                points: stroke.points.flatMap(([x, y]) => [x / width, y / height]),
            };
        const answer = server.snap_stroke({name: own.entry.name, stroke: request}).catch(() => undefined);
        own.snapping = own.snapping.then(async () => {
            const area = await answer;
            if (area?.bits === undefined) return say(area?.error ?? LOST);
            own.labels.replace(stroke, readArea(area));
            redraw();
        });
    };
    canvas.addEventListener("pointerdown", event => {
        if (!current || !event.isPrimary || event.button > 1) return;
        event.preventDefault();
        canvas.setPointerCapture(event.pointerId);
        pointer = pointOf(event);
        dragging = event.button === 1 || root.classList.contains("is-moving") ? "move" : "paint";
        if (dragging === "paint") {
            const {width, height} = current.labels;
            current.labels.begin(value, radius() * Math.max(width, height), toPixels(pointer));
        }
        say("");
        redraw();
    });
    canvas.addEventListener("pointermove", event => {
        if (!event.isPrimary) return;
        if (dragging === "move" && pointer) {
            const [u, v] = within(event);
            setView(panBy(view, u - (pointer[0] - view.x) * view.scale, v - (pointer[1] - view.y) * view.scale));
        } else {
            const moves = dragging ? event.getCoalescedEvents() : [];
            for (const each of moves.length ? moves : [event]) {
                pointer = pointOf(each);
                if (dragging === "paint") current?.labels.extend(toPixels(pointer));
            }
        }
        redraw();
    });
    for (const ending of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(ending, () => {
            const wasPainting = dragging === "paint";
            dragging = null;
            if (wasPainting) finish();
        });
    }
    canvas.addEventListener("pointerleave", () => {
        pointer = null;
        redraw();
    });
    canvas.addEventListener(
        "wheel",
        event => {
            if (event.ctrlKey) return; // the browser's zoom
            event.preventDefault();
            setView(zoomBy(view, Math.exp(-event.deltaY / 300), within(event)));
        },
        {passive: false},
    );

    // ---- controls ----

    /** @type {Record<string, () => void>} */
    const actions = {
        undo: () => {
            if (!dragging) current?.labels.undo();
            refresh();
        },
        hide: () => {
            const button = find("[data-do=hide]");
            button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
            redraw();
        },
        out: () => setView(zoomBy(view, 1 / 1.5)),
        in: () => setView(zoomBy(view, 1.5)),
        whole: () => setView(WHOLE),
        previous: () => move(-1),
        next: () => move(1),
        save,
    };
    /** @param {number} chosen */
    const choose = chosen => {
        value = chosen;
        refresh();
    };
    /** @param {number} step */
    const resize = step => {
        size.value = String(clamp(Number(size.value) + step, 0, 100));
        redraw();
    };
    /** @type {Record<string, () => void>} */
    const keys = {
        1: () => choose(HAIR),
        2: () => choose(OTHER),
        3: () => choose(UNLABELLED),
        "[": () => resize(-5),
        "]": () => resize(5),
        s: () => snaps.click(),
        h: actions.hide,
        "-": actions.out,
        "+": actions.in,
        "=": actions.in,
        0: actions.whole,
        p: actions.previous,
        arrowleft: actions.previous,
        arrowup: actions.previous,
        n: actions.next,
        arrowright: actions.next,
        arrowdown: actions.next,
        enter: save,
        " ": () => root.classList.add("is-moving"),
    };
    document.addEventListener("keydown", event => {
        const target = /** @type {HTMLElement} */ (event.target),
            key = event.key.toLowerCase();
        const ownKeys = target.closest("button") ? ["enter", " "] : target.closest("[type=range]") ? ["arrow"] : [];
        if (event.altKey || ownKeys.some(start => key.startsWith(start))) return; // the control's own keys
        const action = event.ctrlKey || event.metaKey ? {z: actions.undo, s: save}[key] : keys[key];
        if (!action || (event.repeat && key === "enter")) return;
        event.preventDefault();
        action();
    });
    document.addEventListener("keyup", event => {
        if (event.key === " ") root.classList.remove("is-moving");
        redraw();
    });
    element.addEventListener("mousedown", event => {
        // a focused button would handle Enter and Space itself
        if (/** @type {HTMLElement} */ (event.target).closest("button")) event.preventDefault();
    });
    element.addEventListener("click", event => {
        const {do: action, value: chosen} =
            /** @type {HTMLElement} */ (event.target).closest("button")?.dataset ?? /** @type {DOMStringMap} */ ({});
        if (action) actions[action]();
        if (chosen) choose(Number(chosen));
    });
    size.addEventListener("input", () => {
        pointer = [view.x + 0.5 / view.scale, view.y + 0.5 / view.scale]; // the brush in the middle shows its size
        redraw();
    });
    window.addEventListener("beforeunload", event => {
        if (entries.some(entry => entry.isEdited)) event.preventDefault();
    });
    new ResizeObserver(redraw).observe(canvas);

    const answer = await server.list_photos(null).catch(() => undefined);
    if (!answer?.photos) return setProblem(LOST);
    entries = answer.photos.map(addEntry);
    find(".strip").append(...entries.map(({button}) => button));
    for (const entry of entries) mark(entry);
    const first = seekPending(0);
    if (first < 0) say("Every photo has a mask.");
    show(Math.max(0, first));
}
