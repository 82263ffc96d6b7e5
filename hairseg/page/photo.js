// The photo: chosen, dropped, pasted, taken with the camera or an example, on its way to the server.

Object.assign(hairseg, {
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

    shown(src) {  // the photo as the server has read it; until then what the browser can make of the file
        if (!hairseg.photo) return;
        hairseg.photo.src = hairseg.url(src);
        hairseg.photoInput.show();
    },
});
