/**
 * The studio. Its state is one photo with one model, a `Session`, and the settings. Every answer of the server is compared with
 * the session and the settings that it was asked for, and dropped where either has changed.
 *
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("./settings.js").Constants} Constants
 * @typedef {{name: string, src: string, path: string | null, bring: () => Promise<string | undefined>, lost: string,
 *   isExample: boolean,
 *   strokes: import("./brush.js").Stroke[], past: import("./brush.js").Stroke[][]}} Photo
 * @typedef {{photo: Photo, model: string | null, result: Result | null, ratio: number, head: number[] | null}} Session
 * @typedef {{error?: string, gone?: boolean, shown: string, size: [number, number], masks: Record<string, string>,
 *   captions: Record<string, string>, scores: Record<string, string>, agreement: number, verdict: string, focus: number[] | null, heads: number[][], isFullSize: boolean}} Result
 * @typedef {{props: {value: any}, trigger: (event: string) => void, server: Record<string, (payload: any) => Promise<any>>,
 *   upload: (file: File) => Promise<{path: string}>, watch: (name: string, callback: () => void) => void}} Gradio
 */
import {createBrush} from "./brush.js";
import {callUntilAnswered, LOGGED_OUT, LOST, latestOnly, pause, reasonOfLoss} from "./calls.js";
import {createButton, markSwatch, openDialog} from "./dialog.js";
import {listenForZoom, within} from "./gestures.js";
import {createOverlay} from "./overlay.js";
import {addressOf, apiAddress, showPictureIn} from "./pictures.js";
import {countChanged, fromQuery, parseColour, presetOf, toQuery} from "./settings.js";
import {createSharing} from "./sharing.js";
import {createTriedColours} from "./tried.js";
import {listenForPhotos} from "./upload.js";
import {clamp, viewOf, WHOLE, windowOf, zoomBy} from "./zoom.js";

const DETAIL_DELAY_MS = 350; // after the last zoom or pan

const BUSY_NOTICE_MS = 2000;

const SENT_AGAIN = "The server no longer had your photo, so it was sent again.";

const STORAGE_KEY = "hairseg-photo"; // in sessionStorage: the path of the photo on the server, and its name

/**
 * @param {HTMLElement} element
 * @param {Gradio} gradio
 * @param {Constants} constants
 */
export function start(element, {props, trigger, server, upload, watch}, constants) {
    /** @template {HTMLElement} T @param {string} selector @returns {T} */
    const find = selector => /** @type {T} */ (element.querySelector(selector));
    const defaults = /** @type {Settings} */ ({...props.value, model: constants.models[0]});
    const isPhone = matchMedia("(max-width: 720px)");

    // ---- state ----

    /** @type {Settings} */
    let settings = defaults;
    /** @type {Session | null} */
    let session = null;
    /** @type {Session | null} the last one whose results were seen, for a photo that cannot be used */
    let previous = null;
    let view = WHOLE;
    /** @type {File[]} */
    let strip = [];

    // ---- words ----

    /** @param {string} text one sentence about what went wrong, or nothing */
    const showNotice = text => {
        find(".notice p").textContent = text;
        element.classList.toggle("has-notice", text !== "");
    };
    const clearLostNotice = () => [LOST, LOGGED_OUT].includes(find(".notice p").textContent ?? "") && showNotice("");
    /** @param {boolean} isBusy */
    const setBusy = isBusy => {
        element.setAttribute("aria-busy", String(isBusy));
        find("[data-do=clear]").hidden = session?.photo.isExample ?? true;
    };

    // ---- pictures ----

    /** @param {string} selector @param {string | null} src @param {string} [alt] */
    const showPicture = (selector, src, alt) => showPictureIn(find(selector), src, alt);
    const clearPictures = () => {
        for (const place of ["#random-mask .pan", "#pretrained-mask .pan", "#original", "#recoloured", "#photo .pan"])
            showPicture(place, null);
        for (const text of element.querySelectorAll(".found, .verdict, .said, .legend")) text.textContent = "";
        clearDetail();
        find("#compare").classList.add("is-empty");
        find("#compare .empty").textContent = "Colouring …";
        element.classList.remove("has-thumbnails");
        find("#overlay canvas").classList.remove("is-drawn");
    };
    /** @param {number} ratio width by height */
    const setRatio = ratio => {
        element.style.setProperty("--ratio", String(ratio));
        if (session) session.ratio = ratio;
    };

    // ---- one photo ----

    /** @param {Record<string, unknown>} [more] */
    const payload = more => ({
        photo: session?.photo.path,
        strokes: session?.photo.strokes,
        head: session?.head,
        ...settings,
        ...more,
    });
    /** @param {() => boolean} isWanted */
    const patience = isWanted => ({
        isWanted,
        onLost: async () => {
            const reason = await reasonOfLoss(apiAddress());
            if (isWanted()) showNotice(reason);
        },
        onReached: clearLostNotice,
    });

    /** @param {Partial<Photo> & Pick<Photo, "name" | "src" | "bring" | "lost">} photo */
    const openNewPhoto = photo => openPhoto({path: null, isExample: false, strokes: [], past: [], ...photo});
    /** @param {Photo} photo */
    const openPhoto = async photo => {
        if (session?.result) previous = session;
        /** @type {Session} */
        const own = {photo, model: settings.model, result: null, ratio: 1, head: null};
        session = own;
        showNotice("");
        clearPictures();
        setBusy(true);
        setView(WHOLE);
        brush.reset();
        find("#photo .name").textContent = photo.isExample ? `Example: ${photo.name}` : photo.name;
        const seen = showPicture("#photo .pan", photo.src, "The photo").then(() => {
            const image = find("#photo .pan").querySelector("img");
            if (own === session && image?.naturalWidth && !own.result)
                setRatio(image.naturalWidth / image.naturalHeight);
        });
        if (!photo.path) {
            try {
                const path = await photo.bring();
                if (own !== session) return;
                if (!path) throw new Error("no path");
                photo.path = path;
            } catch {
                if (own === session) restorePrevious(photo.lost);
                return;
            }
        }
        remember(photo);
        watchQueue(own);
        await Promise.all([seen, showMasks(own), recolour()]);
        if (own !== session || !own.result) return;
        setBusy(false);
        showThumbnails();
    };

    /** Say how busy the server is while the answer takes long. @param {Session} own */
    const watchQueue = async own => {
        for (;;) {
            await pause(BUSY_NOTICE_MS);
            if (own !== session || own.result) return;
            const answer = await server.pending(null).catch(() => undefined);
            if (own !== session || own.result || !answer) continue;
            const others = Math.max(0, answer.pending - 2);
            find("#compare .empty").textContent = others
                ? `Busy: ${others} other requests are in progress.`
                : "Working …";
        }
    };

    /** @param {Session} own */
    const showMasks = async own => {
        const isWanted = () => own === session;
        const answer = await callUntilAnswered(() => server.segment(payload()), patience(isWanted));
        if (!answer || !isWanted()) return;
        if (answer.error) return fail(answer);
        own.result = answer;
        setRatio(answer.size[0] / answer.size[1]);
        const network = {random: "network from scratch", pretrained: "pretrained network"};
        const shown = ["random", "pretrained"].map(variant => {
            find(`#${variant}-mask .found`).textContent = answer.captions[variant];
            find(`#${variant}-mask .score`).hidden = !answer.scores[variant];
            find(`#${variant}-mask .value`).textContent = answer.scores[variant] ?? "";
            return showPicture(
                `#${variant}-mask .pan`,
                addressOf(answer.masks[variant]),
                `Mask of the ${network[/** @type {"random"} */ (variant)]}: ${answer.captions[variant]}`,
            );
        });
        find(".verdict").textContent = answer.verdict;
        find("[data-zoom=head]").hidden = !answer.focus;
        if (answer.focus) setView(viewOf(answer.focus));
        showHeads();
        shown.push(showPicture("#photo .pan", addressOf(answer.shown), "The photo"));
        await Promise.all(shown);
        if (isWanted()) overlay.refresh();
    };

    const recolour = latestOnly(async () => {
        const own = session,
            wanted = settings,
            strokes = own?.photo.strokes;
        if (!own?.photo.path) return;
        const head = own.head;
        const isWanted = () =>
            own === session && wanted === settings && strokes === own.photo.strokes && head === own.head;
        find("#compare").classList.add("is-waiting");
        const answer = await callUntilAnswered(() => server.recolour(payload()), patience(isWanted));
        if (!answer || !isWanted()) return;
        if (answer.error) {
            find("#compare").classList.remove("is-waiting");
            return fail(answer);
        }
        const [, isShown] = await Promise.all([
            showPicture("#original", addressOf(answer.shown), "The photo before"),
            showPicture("#recoloured", addressOf(answer.src), `The photo with ${answer.colour} hair`),
        ]);
        if (!isShown || !isWanted()) return;
        const frame = find("#compare");
        if (frame.classList.contains("is-empty")) {
            // the new colour begins in the middle of the hair
            const {x, scale} = view;
            setCut(clamp((answer.middle - x) * scale, 0.1, 0.9));
            frame.classList.add("is-new");
        }
        frame.classList.remove("is-empty", "is-waiting");
        find("#compare .empty").textContent = "";
        find(".said").textContent = answer.notice;
        brush.settle(strokes ?? []);
        triedColours.add(settings.colour);
        refreshDetail();
    });

    const showThumbnails = latestOnly(async () => {
        const own = session,
            wanted = settings,
            strokes = own?.photo.strokes;
        if (!own?.result) return;
        const answer = await server.thumbnails(payload({target: target()})).catch(() => undefined);
        if (!answer?.src || own !== session || wanted.model !== settings.model || strokes !== own.photo.strokes) return;
        element.style.setProperty("--thumbnails", `url("${addressOf(answer.src)}")`);
        element.classList.add("has-thumbnails");
    });

    /** Offer the choice of one head where there are several. */
    const showHeads = () => {
        const place = find(".heads"),
            heads = session?.result?.heads ?? [];
        place.hidden = heads.length < 2;
        const buttons = [null, ...heads].map((head, index) =>
            createButton(head ? `Person ${index}` : "Everyone", () => chooseHead(head), {
                "aria-pressed": String(session?.head === head),
            }),
        );
        place.replaceChildren(...(heads.length < 2 ? [] : buttons));
    };
    /** @param {number[] | null} head */
    const chooseHead = head => {
        if (!session || session.head === head) return;
        session.head = head;
        const index = head ? (session.result?.heads.indexOf(head) ?? -1) + 1 : 0;
        for (const [number, button] of [...find(".heads").children].entries()) {
            button.setAttribute("aria-pressed", String(number === index));
        }
        recolour();
        showThumbnails();
    };

    /** @param {{error?: string, gone?: boolean}} answer */
    const fail = ({error = "", gone}) => {
        if (!session) return;
        if (gone) {
            // deleted from the server, or stored on another replica: send it again
            const {photo} = session;
            photo.path = null;
            return openPhoto(photo).then(() => {
                if (session?.photo === photo && session.result && !photo.isExample) showNotice(SENT_AGAIN);
            });
        }
        if (session.result) showNotice(error);
        else restorePrevious(error);
    };

    /** Show the photo before one that cannot be used. @param {string} error */
    const restorePrevious = error => {
        const photo = previous?.photo;
        session = null;
        (photo ? openPhoto(photo) : showExample(constants.firstExample)).then(() => showNotice(error));
        showNotice(error);
    };

    /** @param {File[]} files */
    const take = files => {
        const [file] = files;
        if (files.length > 1) strip = files;
        showStrip();
        if (file.size > constants.largestMegabytes * 2 ** 20) {
            return showNotice(
                `${file.name} is too large. Send at most ${constants.largestMegabytes} MB: scale it down and try again.`,
            );
        }
        openNewPhoto({
            name: file.name,
            src: URL.createObjectURL(file),
            lost: `${file.name} did not get through. Check the connection and try again.`,
            bring: async () => (await upload(file)).path,
        });
        if (isPhone.matches) find(".row").scrollIntoView({block: "nearest"});
    };

    const showStrip = () => {
        const place = find(".strip");
        place.hidden = strip.length < 2;
        place.replaceChildren(
            ...(strip.length < 2 ? [] : strip).map(file => {
                const button = createButton("", () => take([file]), {title: file.name, "aria-label": file.name});
                const image = Object.assign(document.createElement("img"), {src: URL.createObjectURL(file), alt: ""});
                image.addEventListener("error", () => button.replaceChildren(file.name));
                button.append(image);
                return button;
            }),
        );
    };

    /** @param {string} name */
    const showExample = name => {
        const button = find(`[data-example="${name}"]`),
            image = /** @type {HTMLImageElement} */ (button.querySelector("img"));
        const title = button.nextElementSibling?.firstChild?.textContent ?? name;
        const isWanted = () => session?.photo.name === title;
        return openNewPhoto({
            name: title,
            src: image.dataset.large ?? image.src,
            isExample: true,
            lost: "The example did not get through. Check the connection and try again.",
            bring: async () => (await callUntilAnswered(() => server.example(name), patience(isWanted)))?.photo,
        });
    };

    /** @param {Photo} photo */
    const remember = ({name, path, isExample}) => {
        if (isExample) sessionStorage.removeItem(STORAGE_KEY);
        else sessionStorage.setItem(STORAGE_KEY, JSON.stringify({name, path}));
    };

    /** The photo before a reload, as long as the server has it. */
    const restore = () => {
        const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
        if (!stored?.path) return showExample(constants.firstExample);
        return openNewPhoto({
            ...stored,
            src: addressOf(stored.path),
            lost: "The photo is no longer on the server. Choose it again.",
            bring: async () => {
                // only asked for once the server has deleted it
                sessionStorage.removeItem(STORAGE_KEY);
                return undefined;
            },
        });
    };

    // ---- settings ----

    /**
     * @param {Partial<Settings>} changed
     * @param {boolean} [isFromControls] whether the stock components show it already
     */
    const change = (changed, isFromControls = false) => {
        const before = settings,
            wanted = {...settings, ...changed};
        if (JSON.stringify(wanted) === JSON.stringify(before)) return;
        settings = wanted;
        showChosen();
        writeAddress();
        if (settings.model !== before.model && session) openPhoto({...session.photo});
        else recolour();
        if (!isFromControls) {
            // after the request is sent: Gradio renders the component again
            props.value = settings;
            trigger("push");
        }
        const others = {...settings, [target()]: before[target()]};
        if (JSON.stringify(others) !== JSON.stringify(before) || find("#finer > button.open")) showThumbnails();
    };
    /** The setting that a swatch changes. @returns {"colour" | "second_colour"} */
    const target = () =>
        settings.second_mode !== constants.modes[0] &&
        /** @type {HTMLInputElement} */ (find(".target :checked")).value === "second_colour"
            ? "second_colour"
            : "colour";
    const showChosen = () => {
        const count = countChanged(settings, defaults);
        markSwatch(element, presetOf(settings[target()], constants.presets));
        find("[data-download=alpha]").textContent =
            settings.variant === "random" ? "Mask, from scratch" : "Mask, pretrained";
        element.dataset.changed = count ? String(count) : "";
        element.dataset.secondMode = settings.second_mode;
        element.dataset.isDefault = String(
            JSON.stringify({...settings, model: null}) === JSON.stringify({...defaults, model: null}),
        );
    };
    const linkOf = () => {
        const address = new URL(location.href);
        address.search = toQuery(settings, constants).toString();
        address.hash = "";
        return address.href;
    };
    const writeAddress = () => {
        const address = new URL(linkOf()),
            tab = new URLSearchParams(location.search).get("tab");
        if (tab) address.searchParams.set("tab", tab);
        try {
            history.replaceState(history.state, "", address);
        } catch {
            // Safari allows 100 changes in 30 seconds
        }
    };
    const triedColours = createTriedColours(element, {
        presets: constants.presets,
        onChoose: colour => change({colour}),
        recolour: (colour, dialog) => {
            const own = session;
            const isWanted = () => own === session && dialog.isConnected;
            return callUntilAnswered(() => server.recolour(payload({colour})), patience(isWanted));
        },
    });

    // ---- zoom ----

    /** @param {import("./zoom.js").View} wanted */
    const setView = wanted => {
        view = wanted;
        for (const [name, value] of Object.entries({"--scale": view.scale, "--x": view.x, "--y": view.y})) {
            element.style.setProperty(name, String(value));
        }
        element.classList.toggle("is-zoomed", view.scale > 1);
        find("[data-zoom=whole]").setAttribute("aria-pressed", String(view.scale === 1));
        brush.redraw();
        clearDetail();
        clearTimeout(detailTimer);
        detailTimer = window.setTimeout(refreshDetail, DETAIL_DELAY_MS);
    };
    let detailTimer = 0;
    const clearDetail = () => {
        for (const detail of element.querySelectorAll(".detail")) detail.remove();
    };
    /** Pixels of the photo's own resolution where a picture is magnified. */
    const refreshDetail = latestOnly(async () => {
        const own = session,
            wanted = settings,
            seen = view,
            strokes = own?.photo.strokes;
        clearDetail();
        if (!own?.result || own.result.isFullSize || view.scale === 1 || brush.isOn()) return;
        const isWanted = () => own === session && wanted === settings && seen === view && strokes === own.photo.strokes;
        const answer = await server.detail({...payload(), window: windowOf(seen)}).catch(() => undefined);
        if (!answer?.window || !isWanted()) return;
        const places = {
            "#random-mask .pan": "random",
            "#photo .pan": "photo",
            "#pretrained-mask .pan": "pretrained",
            "#original": "photo",
            "#recoloured": "recoloured",
        };
        const [left, top, right, bottom] = answer.window;
        for (const [place, name] of Object.entries(places)) {
            const detail = document.createElement("div");
            detail.className = "detail";
            detail.style.inset = [top, 1 - right, 1 - bottom, left].map(edge => `${100 * edge}%`).join(" ");
            detail.style.backgroundImage = `url("${addressOf(answer[name])}")`;
            find(place).append(detail);
        }
    });
    listenForZoom(element, {view: () => view, setView});

    // ---- before and after, and the overlay ----

    const overlay = createOverlay(element, {result: () => session?.result ?? null, view: () => view});
    const cut = /** @type {HTMLInputElement} */ (find(".cut"));
    /** @param {number} value */
    const setCut = value => {
        cut.value = String(Math.round(100 * value));
        find("#compare").style.setProperty("--cut", String(value));
    };
    cut.addEventListener("input", () => find("#compare").style.setProperty("--cut", String(Number(cut.value) / 100)));
    find("#compare").addEventListener("click", event => {
        if (/** @type {HTMLElement} */ (event.target).closest("input, canvas")) return;
        const [u, v] = within(find("#compare"), event),
            [x, y] = [view.x + u / view.scale, view.y + v / view.scale];
        const head = session?.result?.heads.find(
            ([left, top, right, bottom]) => x >= left && x <= right && y >= top && y <= bottom + (bottom - top),
        );
        if (head) chooseHead(session?.head === head ? null : head);
    });
    find("#compare").addEventListener("animationend", () => find("#compare").classList.remove("is-new"));
    // ---- downloads and sharing ----

    /** @param {{kind: string, format: string, link: string}} options */
    const download = async options => {
        const own = session,
            wanted = settings;
        if (!own?.photo.path) return undefined;
        const isWanted = () => own === session;
        const answer = await callUntilAnswered(
            () => server.download({...payload(wanted), ...options}),
            patience(isWanted),
        );
        if (answer?.error && isWanted()) fail(answer);
        return answer?.error || !isWanted() ? undefined : answer;
    };
    const sharing = createSharing(element, {download, linkOf, showNotice});

    const enlarge = () => {
        const stage = find(".stage"),
            frame = find("#compare");
        openDialog(element, "Before and after", [frame], () => {
            stage.append(frame);
            brush.redraw();
        });
    };

    // ---- controls ----

    const brush = createBrush(element, {
        strokePoints: constants.strokePoints,
        edits: () => session?.photo ?? null,
        colour: () => settings.colour,
        view: () => view,
        onEdit: () => {
            showNotice("");
            recolour();
            showThumbnails();
        },
    });
    const {choose, openCamera} = listenForPhotos(element, {take, say: showNotice, wanted: () => session});
    /** @type {Record<string, () => unknown>} */
    const actions = {
        choose,
        camera: openCamera,
        clear: () => {
            strip = [];
            showStrip();
            sessionStorage.removeItem(STORAGE_KEY);
            previous = null;
            showExample(constants.firstExample);
        },
        dismiss: () => showNotice(""),
        enlarge,
        compare: () => triedColours.compare(session?.ratio ?? 1),
        copy: sharing.copyPicture,
        share: sharing.share,
        link: sharing.copyLink,
    };
    element.addEventListener("click", event => {
        const button = /** @type {HTMLElement} */ (event.target).closest("button");
        if (!button || !element.contains(button)) return;
        const {do: action, preset, example, download: kind, zoom} = button.dataset;
        if (action && actions[action]) actions[action]();
        if (preset) change({[target()]: constants.presets[preset]});
        if (example) {
            showExample(example);
            find(".bar").scrollIntoView({block: "nearest"});
        }
        if (kind) sharing.download(kind);
        if (zoom === "in") setView(zoomBy(view, 1.5));
        if (zoom === "out") setView(zoomBy(view, 1 / 1.5));
        if (zoom === "whole") setView(WHOLE);
        if (zoom === "head") setView(viewOf(session?.result?.focus ?? null));
        if (button.parentElement?.id === "finer") showThumbnails();
        if (button.id === "reset") change({...defaults, model: settings.model});
    });
    find(".target").addEventListener("change", () => {
        showChosen();
        showThumbnails();
    });
    find("[data-do=share]").hidden = !navigator.share;
    find("[data-do=copy]").hidden = !("ClipboardItem" in window && navigator.clipboard);
    watch("value", () => {
        const {colour, second_colour, ...others} = props.value;
        /** @param {string} text @param {string} before */
        const code = (text, before) => parseColour(String(text), constants.presets) ?? before;
        change(
            {
                ...others,
                colour: code(colour, settings.colour),
                second_colour: code(second_colour, settings.second_colour),
            },
            true,
        );
    });

    const {settings: linked, unknown} = fromQuery(new URLSearchParams(location.search), defaults, constants);
    settings = linked;
    if (JSON.stringify(linked) !== JSON.stringify(defaults)) {
        props.value = settings;
        trigger("push");
    }
    showChosen();
    const first = restore();
    if (countChanged(linked, defaults)) first.then(() => find("#finer > button:not(.open)")?.click());
    if (unknown.length) {
        const sentence = `The link asks for ${new Intl.ListFormat("en").format(unknown)}, which this page does not offer.`;
        showNotice(sentence);
        first.then(() => showNotice(sentence));
    }
}
