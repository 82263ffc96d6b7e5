// The photo: chosen, dropped, pasted, taken with the camera or an example, on its way to the server.

Object.assign(hairseg, {
    photoInput: null,

    upload(element, props, trigger, server) {
        const input = element.querySelector("input[type=file]"), target = element.querySelector(".tile");
        const picture = element.querySelector("button.picture");

        const show = () => {
            const {photo} = hairseg;
            hairseg.fill(picture, photo && photo.src, photo ? `Your photo ${photo.name}` : "");
            picture.disabled = !photo;
            picture.setAttribute("aria-label", photo ? "Open the photo large" : "No photo yet");
            element.querySelector(".name").textContent = photo ? photo.name : "";
        };
        const begin = (name, src, bring, kept) => {
            const {photo} = hairseg;
            hairseg.look += 1;
            hairseg.photo = {
                name, src, bring, look: hairseg.look, strokes: [], past: [], edit: 0, shown: 0, said: "",
                before: photo?.isSeen ? {...photo, before: null} : photo?.before,
                ...kept,
            };
            hairseg.reset();
            hairseg.say("");
            hairseg.stage("at-work");
            show();
            return hairseg.look;
        };
        const ask = () => ["upload", "submit"].forEach(asked => trigger(asked));  // masks and dye: what one event asks for comes one after the other
        const looked = (look, path) => {
            if (look !== hairseg.look) return;  // another photo came meanwhile
            hairseg.photo.path = path;
            hairseg.sent(1);
            props.value = {path, look, model: hairseg.model, edit: 0, strokes: hairseg.photo.strokes};
            ask();
        };
        const insist = async (look, bring) => {  // as long as it is the present photo
            while (look === hairseg.look) {
                const path = await bring().catch(() => null);
                if (path) return path;
                if (look === hairseg.look) hairseg.messages.sayLost();
                await new Promise(resolve => setTimeout(resolve, hairseg.messages.AGAIN));
            }
        };
        const come = async (name, src, bring, kept, wasThere = false) => {  // `bring` has the server keep the photo, and gives its path there
            const look = begin(name, src, bring, kept);
            try {
                const path = await (wasThere ? insist(look, bring) : bring());
                if (!path) throw new Error("the server gave none");
                looked(look, path);
            } catch (error) {
                if (look === hairseg.look) hairseg.photoInput.back(/size|large/i.test(String(error && error.message || error))
                    ? `${name} is too large: expected at most ${LARGEST_MB} MB; scale it down and try again.`
                    : `${name} did not get through; check the connection and try again.`);
            }
        };
        const take = file => {  // its results are seen, whichever tab was
            document.querySelector("#tabs [role=tab]").click();
            come(file.name, URL.createObjectURL(file), () => hairseg.send(file));
        };
        hairseg.photoInput = {
            show,
            take,
            example: (name, src) => come(name, src, () => server.example(name)),
            again() {  // a photo that is still on its way gets the chosen model's look when it comes
                const {name, src, bring, path, strokes, past, said} = hairseg.photo || {};
                if (path) looked(begin(name, src, bring, {strokes, past, said, before: null}), path);  // a touch-up is the photo's, whichever network looks
            },
            ask,
            renew() {  // the server has let go of it
                const {name, src, bring, strokes, past, said} = hairseg.photo;
                come(name, src, bring, {strokes, past, said, before: null}, true);
            },
            back(text) {  // a photo that cannot be used goes, with one sentence, and the one before it comes back
                const {before} = hairseg.photo;
                if (!before) {
                    hairseg.clear();
                    return hairseg.say(text);
                }
                const {name, src, bring, path, look, strokes, past} = before;
                if (props.value?.look === look && props.value.model === hairseg.model) {  // nothing has been asked for since
                    hairseg.look = look;
                    hairseg.photo = {...before, said: text};
                    hairseg.reset();
                    show();
                    if (hairseg.shows.map(again => again()).every(Boolean)) return;
                }
                looked(begin(name, src, bring, {strokes, past, said: text, before: null}), path);
                hairseg.say(text);
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
            if (action === "dismiss") {
                hairseg.say("");
                hairseg.keepFocus();
            }
            if (action === "clear") {
                hairseg.clear();
                hairseg.say("");
            }
        });
        picture.addEventListener("click", () => hairseg.enlarge(picture.querySelector("img")));
        document.addEventListener("dragover", event => {  // beside the tile, too: a browser would leave the page for the file
            if (![...event.dataTransfer.types].includes("Files")) return;
            event.preventDefault();
            target.classList.add("is-target");
        });
        document.addEventListener("dragleave", event => event.relatedTarget || target.classList.remove("is-target"));
        document.addEventListener("drop", event => {
            const [file] = event.dataTransfer.files;
            if (!file) return;
            event.preventDefault();
            target.classList.remove("is-target");
            take(file);
        });
        document.addEventListener("paste", event => {
            const [file] = event.clipboardData.files;
            if (file) take(file);
        });
        hairseg.resets.push(() => hairseg.stopSending());
        hairseg.look = Math.floor(Math.random() * 2 ** 40);
        hairseg.stage("without-photo");
        show();
    },

    send(file) {  // as Gradio's client does, which does not tell how much has been sent; gives the path on the server
        if (file.size > LARGEST_MB * 2 ** 20) return Promise.reject(new Error("too large"));
        return new Promise((resolve, reject) => {
            const request = new XMLHttpRequest(), form = new FormData();
            form.append("files", file);
            request.upload.addEventListener("progress", ({loaded, total}) => loaded < total && hairseg.sent(loaded / total));
            request.addEventListener("load", () => {
                if (request.status === 200) resolve(JSON.parse(request.responseText)[0]);
                else reject(new Error(request.responseText));
            });
            for (const failure of ["error", "abort"]) request.addEventListener(failure, () => reject(new Error(failure)));
            request.open("POST", hairseg.address("upload"));
            request.send(form);
            hairseg.stopSending = () => request.abort();
        });
    },

    stopSending() {},  // the photo that is on its way, as nobody waits for it any more

    examples(element) {
        element.addEventListener("click", event => {
            const button = event.target.closest("[data-example]");
            if (button) hairseg.photoInput.example(button.dataset.example, button.querySelector("img").src);
        });
    },

    cameraAsked: null,  // the latest wish for it: an earlier one that the browser grants late is not taken

    async camera(take, input) {
        const {look} = hairseg, asked = hairseg.cameraAsked = {};
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
        if (asked !== hairseg.cameraAsked || look !== hairseg.look || !document.getElementById("photo").checkVisibility()) {
            return stream.getTracks().forEach(track => track.stop());  // nobody waits for it any more
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
        const button = dialog.querySelector("button");
        button.disabled = true;  // until there is a picture to take
        video.addEventListener("loadeddata", () => {
            button.disabled = false;
            button.focus();
        });
        dialog.addEventListener("close", () => stream.getTracks().forEach(track => track.stop()), {once: true});
    },

    shown(src) {  // the photo as the server has read it; until then what the browser can make of the file
        if (!hairseg.photo) return;
        hairseg.photo.isSeen = true;
        hairseg.photo.src = hairseg.url(src);
        hairseg.photoInput.show();
    },
});
