// What the page does in the browser. style.py puts PRESETS (names and codes) and VARIANTS in front of this file.
//
// Every photo that comes in begins a look, which has a number, and so does every other model that is chosen for it. Results
// carry the number of the look that they were asked for, and only those of the present one are shown: a slow answer never
// stands beside another photo, nor under another model's name.

const hairseg = {
    look: 0,  // number of the present look; the page's first one begins at a random number, so that no two pages share it
    photo: null,  // {name, src, path once the server has it, and its touch-up: strokes, past, edit, shown}; null without one
    model: null,  // name of the chosen model; null: the first one

    // ---- pictures ----

    url(path) {  // of a file that the server has made
        const {root = "", api_prefix = "/gradio_api"} = window.gradio_config || {};
        return `${root}${api_prefix}/file=${path.split("/").map(encodeURIComponent).join("/")}`;
    },

    fill(place, src, alt) {  // show one picture there, or none
        let img = place.querySelector("img");
        if (!src) return img && img.remove();
        if (!img) place.append(img = document.createElement("img"));
        img.alt = alt;
        if (img.getAttribute("src") !== src) img.src = src;
    },

    share: value => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`,

    say(text) {  // one line of what is going on, or of what went wrong
        const line = document.querySelector("#photo .alert");
        if (line) line.textContent = text || "";
    },

    stage(state) {  // "without-photo", "at-work" or "done"
        const tab = document.getElementById("figure3");
        for (const [name, on] of [["without-photo", state === "without-photo"], ["at-work", state === "at-work"]]) {
            tab?.classList.toggle(name, on);
            document.getElementById("story2")?.classList.toggle(name, on);
        }
        document.body.classList.toggle("hairseg-photo", state !== "without-photo");
    },

    isPresent: value => value && hairseg.photo && value.look === hairseg.look,

    failed(value) {  // a photo that cannot be used goes, with one sentence; a wrong setting only gets the sentence
        if (!value.error) return false;
        if (!document.querySelector("#random-mask img")) hairseg.clear();
        hairseg.say(value.error);
        return true;
    },

    // ---- the photo ----

    photoInput: null,

    upload(element, props, trigger, server, upload) {
        const input = element.querySelector("input[type=file]"), target = element.querySelector(".tile");
        const picture = element.querySelector("button.picture");

        const show = () => {
            const {photo} = hairseg;
            hairseg.fill(picture, photo && photo.src, photo ? `Your photo ${photo.name}` : "");
            picture.disabled = !photo;
            picture.setAttribute("aria-label", photo ? "Open the photo large" : "No photo yet");
            element.querySelector(".name").textContent = photo ? photo.name : "";
        };
        const begin = (name, src) => {
            hairseg.look += 1;
            hairseg.photo = {name, src, strokes: [], past: [], edit: 0, shown: 0};
            hairseg.reset();
            hairseg.say("");
            hairseg.stage("at-work");
            show();
            return hairseg.look;
        };
        const looked = (look, path) => {
            if (look !== hairseg.look) return;  // another photo came meanwhile
            hairseg.photo.path = path;
            props.value = {path, look, model: hairseg.model, edit: 0, strokes: hairseg.photo.strokes};
            for (const asked of ["upload", "submit"]) trigger(asked);  // masks and dye: what one event asks for comes one after the other
        };
        const take = async file => {
            const look = begin(file.name, URL.createObjectURL(file));
            try {
                const {path} = await upload(file);
                looked(look, path);
            } catch (error) {
                if (look !== hairseg.look) return;
                hairseg.clear();
                hairseg.say(/size|large/i.test(String(error && error.message || error))
                    ? `${file.name} is too large: expected at most 200 MB; scale it down and try again.`
                    : `${file.name} did not reach the server; check the connection and try again.`);
            }
        };
        hairseg.photoInput = {
            show,
            take,
            async example(name, src) {
                const look = begin(name, src);
                looked(look, await server.example(name));
            },
            again() {  // a photo that is still on its way gets the chosen model's look when it comes
                const {name, src, path, strokes, past} = hairseg.photo || {};
                if (!path) return;
                const look = begin(name, src);
                Object.assign(hairseg.photo, {strokes, past});  // a touch-up is the photo's, whichever network looks
                looked(look, path);
            },
            forget() {
                props.value = null;
            },
            touch(strokes) {  // results carry the number of the edit that they were asked for
                const edit = hairseg.photo.edit += 1;
                hairseg.photo.strokes = strokes;
                props.value = {...props.value, edit, strokes};
                trigger("input");
            },
        };

        input.addEventListener("change", () => {
            if (input.files.length) take(input.files[0]);
            input.value = "";
        });
        element.addEventListener("click", event => {
            const action = event.target.closest("[data-do]")?.dataset.do;
            if (action === "choose") input.click();
            if (action === "camera") hairseg.camera(take, input);
            if (action === "clear") {
                hairseg.clear();
                hairseg.say("");
            }
        });
        picture.addEventListener("click", () => hairseg.enlarge(picture.querySelector("img")));
        for (const kind of ["dragover", "drop"]) target.addEventListener(kind, event => {
            event.preventDefault();
            if (kind === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
        });
        document.addEventListener("paste", event => {
            const file = [...event.clipboardData.files][0];
            if (file && document.body.contains(element)) take(file);
        });
        hairseg.look = Math.floor(Math.random() * 2 ** 40);
        hairseg.stage("without-photo");
        show();
    },

    examples(element) {
        element.addEventListener("click", event => {
            const button = event.target.closest("[data-example]");
            if (button) hairseg.photoInput.example(button.dataset.example, button.querySelector("img").src);
        });
    },

    clear() {  // no photo; nobody waits for its results any more
        hairseg.look += 1;
        hairseg.photo = null;
        hairseg.photoInput.forget();
        hairseg.reset();
        hairseg.stage("without-photo");
        hairseg.photoInput.show();
    },

    reset() {  // no results yet
        for (const empty of hairseg.resets) empty();
        document.querySelector("dialog.hairseg-large")?.close();
    },

    resets: [],

    async camera(take, input) {
        let stream;
        try {
            stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "user", width: {ideal: 1280}}});
        } catch (error) {  // no permission, or no camera that the browser would give: a phone's own camera app may
            if (matchMedia("(pointer: coarse)").matches) {
                input.setAttribute("capture", "user");
                input.click();
                input.removeAttribute("capture");
            } else {
                hairseg.say("The camera cannot be used: allow it in the browser, or choose a photo.");
            }
            return;
        }
        const video = Object.assign(document.createElement("video"), {srcObject: stream, autoplay: true, muted: true});
        video.setAttribute("playsinline", "");
        const dialog = hairseg.dialog("Camera", video, {text: "Take the photo", act() {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
            canvas.getContext("2d").drawImage(video, 0, 0);
            canvas.toBlob(blob => take(new File([blob], "camera.jpg", {type: "image/jpeg"})), "image/jpeg", 0.95);
            dialog.close();
        }});
        dialog.addEventListener("close", () => stream.getTracks().forEach(track => track.stop()), {once: true});
    },

    // ---- masks ----

    mask(element, props, watch) {
        const picture = element.querySelector("button.picture"), caption = element.querySelector("figcaption");
        const id = element.closest("#random-mask") ? "random" : "pretrained";
        const title = id === "random" ? "Trained from random weights" : "Fine-tuned from pretrained weights";
        const describe = (...texts) => caption.replaceChildren(...texts.map(([text, name]) => {
            return Object.assign(document.createElement("span"), {textContent: text, className: name || ""});
        }));
        const empty = element.querySelector(".empty");
        const reset = () => {
            hairseg.fill(picture, null);
            picture.disabled = true;
            picture.setAttribute("aria-label", `${title}: no picture yet`);
            describe([title]);
            empty.textContent = hairseg.photo ? "Looking for the hair" : "";
        };
        hairseg.resets.push(reset);
        reset();
        picture.addEventListener("click", () => hairseg.enlarge(picture.querySelector("img")));
        watch("value", () => {
            const value = props.value;
            if (!hairseg.isPresent(value) || hairseg.failed(value)) return;
            const auroc = hairseg.scores[value.model]?.[id], score = auroc ? ` · AUROC ${auroc} on test photos` : "";
            const found = value.share < 0.002 ? "no hair found" : `calls ${hairseg.share(value.share)} of this picture hair`;
            const alone = value.view.startsWith("Where")
                ? ` · striped: ${hairseg.share(value.alone)}, hair by this network alone; grey: by both` : "";
            describe([title.replace(" weights", "")], [" weights", "longer"], [score, "score"], [` · ${found}`], [alone]);
            hairseg.fill(picture, hairseg.url(value.src), `${title}, ${value.view.toLowerCase()}: ${found}`);
            picture.disabled = false;
            picture.setAttribute("aria-label", `Open large: ${title}`);
            empty.textContent = "";
            hairseg.shown(value.shown);
        });
    },

    scores: {},  // AUROC on test photos, by model and variant

    networks(element, props, watch) {  // what the server tells of its networks once they are loaded
        watch("value", () => {
            const {scores, error} = props.value;
            if (scores) hairseg.scores = scores;
            else hairseg.say(error);
            element.querySelector("[role=status]").textContent = "";
        });
    },

    // ---- models ----

    choose(model) {  // the present photo is looked at again
        if (model === hairseg.model) return;
        hairseg.model = model;
        const status = document.querySelector("#networks [role=status]");
        if (status) status.textContent = `Loading the model ${model}.`;
        hairseg.photoInput?.again();
    },

    asked: null,  // the model whose button was clicked

    leaderboard(element, trigger) {
        element.addEventListener("click", event => {
            const button = event.target.closest("[data-model]");
            if (!button) return;
            hairseg.asked = button.dataset.model;
            trigger("select");
        });
    },

    shown(src) {  // the photo as the server has read it; until then what the browser can make of the file
        if (!hairseg.photo) return;
        hairseg.photo.src = hairseg.url(src);
        hairseg.photoInput.show();
    },

    // ---- before and after ----

    compare(element, props, watch) {
        const frame = element.querySelector(".before-after"), slider = frame.querySelector("input");
        const caption = element.querySelector(".said"), empty = element.querySelector(".empty");
        const [original, recoloured] = ["#original", "#recoloured"].map(id => frame.querySelector(id));
        const reset = () => {
            hairseg.fill(original, null);
            hairseg.fill(recoloured, null);
            frame.classList.add("is-empty");
            slider.disabled = true;
            caption.textContent = "";
            empty.textContent = hairseg.photo ? "Dyeing" : "Your hair in another colour, once there is a photo";
        };
        hairseg.resets.push(reset);
        reset();
        slider.addEventListener("input", () => frame.style.setProperty("--cut", `${slider.value}%`));
        const settle = hairseg.touchUp(element, frame);
        watch("value", () => {
            const value = props.value;
            if (!hairseg.isPresent(value) || hairseg.failed(value) || value.edit !== hairseg.photo.edit) return;
            const colour = value.colour.replace(/-/g, " ");
            hairseg.fill(original, hairseg.url(value.shown), "Your photo as it is");
            hairseg.fill(recoloured, hairseg.url(value.src), `Your photo with ${colour} hair`);
            frame.classList.remove("is-empty");
            hairseg.photo.shown = value.edit;
            settle();
            slider.disabled = false;
            empty.textContent = "";
            caption.textContent = value.bald
                ? "No hair was found in this photo, so nothing is dyed. The other mask may see some, or touch it up."
                : "";
            hairseg.say("");
            hairseg.stage("done");
            hairseg.shown(value.shown);
        });
    },

    // ---- what can be taken away ----

    taking(kind, inputs) {
        if (!hairseg.photo) hairseg.say("There is no photo yet: choose one first.");
        else document.getElementById(`${kind}-button`)?.setAttribute("aria-busy", "true");
        return inputs;
    },

    delivery(element, props, watch) {
        watch("value", () => {
            for (const button of document.querySelectorAll("[aria-busy=true]")) button.removeAttribute("aria-busy");
            const value = props.value;
            if (!hairseg.isPresent(value)) return;
            if (value.error) return hairseg.say(value.error);
            const link = Object.assign(document.createElement("a"), {href: hairseg.url(value.src), download: value.name});
            if (["recoloured-png", "recoloured-jpeg", "alpha"].includes(value.kind)) {
                document.body.append(link);
                link.click();
                link.remove();
                return;
            }
            const img = Object.assign(document.createElement("img"), {src: link.href, alt: value.name});
            const place = document.createElement("div");
            place.id = value.kind;
            place.append(img);
            link.textContent = "Download";
            hairseg.dialog(value.name, place, null, link);
        });
    },

    enlarge(img) {
        if (img) hairseg.dialog(img.alt, Object.assign(document.createElement("img"), {src: img.src, alt: img.alt}));
    },

    dialog(title, content, action, link) {
        document.querySelector("dialog.hairseg-large")?.remove();
        const dialog = document.createElement("dialog");
        dialog.className = "hairseg-large";
        dialog.setAttribute("aria-label", title);
        const bar = document.createElement("div");
        if (link) bar.append(link);
        const button = (text, act) => {
            const made = Object.assign(document.createElement("button"), {type: "button", textContent: text});
            made.addEventListener("click", act);
            bar.append(made);
        };
        if (action) button(action.text, action.act);
        button("Close", () => dialog.close());
        dialog.append(content, bar);
        dialog.addEventListener("click", event => event.target === dialog && dialog.close());
        (document.querySelector("gradio-app") || document.body).append(dialog);
        dialog.showModal();
        return dialog;
    },

    // ---- colours and links ----

    hex(colour) {  // "rgba(142, 36.2, 170, 1)" of the colour picker -> "#8e24aa"
        const channels = colour.match(/^rgba?\(([\d.]+), *([\d.]+), *([\d.]+)/);
        if (!channels) return colour;
        return "#" + channels.slice(1).map(value => Math.round(value).toString(16).padStart(2, "0")).join("");
    },

    chosen: null,  // colour, variant and strength of "Try it"

    preset: code => Object.keys(PRESETS).find(name => PRESETS[name] === code),

    markSwatch(colour) {
        hairseg.colour = hairseg.hex(colour);
        const chosen = hairseg.preset(hairseg.colour);
        for (const name of Object.keys(PRESETS)) {
            const button = document.getElementById(`swatch-${name.replace(/ /g, "-")}`);
            button?.setAttribute("aria-pressed", String(name === chosen));
        }
    },

    // Link of the page and link with these settings; a page that has a public link gives that one.
    writeLinks(models, colour, variant, strength, model, published) {
        hairseg.markSwatch(colour);
        hairseg.chosen = {colour, variant, strength};
        const code = hairseg.hex(colour), link = new URL(published || window.location.href);
        link.search = "";
        const page = link.href, settings = {colour: hairseg.preset(code) || code.slice(1), variant};
        if (strength !== 1) settings.strength = strength;
        if (models.length > 1) settings.model = model;
        link.search = new URLSearchParams(settings);
        return [page, link.href];
    },

    // Colour, variant, strength and model that the page's own link asks for, as far as there are such.
    readLink(models, colour, variant, strength, model) {
        const wanted = new URLSearchParams(window.location.search), name = (wanted.get("colour") || "").toLowerCase();
        if (name in PRESETS) colour = PRESETS[name];
        if (/^#?[0-9a-f]{6}$/.test(name)) colour = "#" + name.replace("#", "");
        if (VARIANTS.includes(wanted.get("variant"))) variant = wanted.get("variant");
        const share = parseFloat(wanted.get("strength"));
        if (share >= 0 && share <= 1) strength = share;
        if (models.includes(wanted.get("model"))) model = wanted.get("model");
        else if (wanted.has("model")) hairseg.say(`This page has no model ${wanted.get("model")}; ${model} is shown.`);
        return [colour, variant, strength, model];
    },
};
