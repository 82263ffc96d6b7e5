/** Ways to take a photo: chosen, dropped, pasted, or from the camera. */
import {encodePicture} from "./canvas.js";
import {countDown, createButton, openDialog} from "./dialog.js";

/**
 * @param {HTMLElement} element of the studio
 * @param {{take: (files: File[]) => void, say: (text: string) => void, wanted: () => object | null}} studio
 */
export function listenForPhotos(element, {take, say, wanted}) {
    const input = /** @type {HTMLInputElement} */ (element.querySelector("#photo input[type=file]"));
    input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        input.value = "";
        if (files.length) take(files);
    });
    let isOwnDrag = false; // of a picture of the page, which browsers offer as a file, too
    for (const type of ["dragstart", "dragend"]) {
        document.addEventListener(type, () => {
            isOwnDrag = type === "dragstart";
        });
    }
    document.addEventListener("dragover", event => {
        // beside the studio, too: a browser would open the file instead
        if (isOwnDrag || !event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        element.classList.add("is-target");
    });
    document.addEventListener("dragleave", event => event.relatedTarget || element.classList.remove("is-target"));
    document.addEventListener("drop", event => {
        const files = [...(event.dataTransfer?.files ?? [])];
        element.classList.remove("is-target");
        if (isOwnDrag || !files.length) return;
        event.preventDefault();
        take(files);
    });
    document.addEventListener("paste", event => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length) take(files);
    });
    let asked = {};
    const openCamera = async () => {
        const own = {},
            session = wanted();
        asked = own;
        /** @type {MediaStream} */
        let stream;
        try {
            stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "user", width: {ideal: 1280}}});
        } catch {
            const remedy = navigator.mediaDevices ? "Allow it in the browser" : "Open this page over HTTPS";
            return say(`The camera cannot be used. ${remedy}, or choose a photo.`);
        }
        const stop = () => {
            for (const track of stream.getTracks()) track.stop();
        };
        if (own !== asked || session !== wanted() || !element.checkVisibility()) return stop(); // no longer wanted
        const video = Object.assign(document.createElement("video"), {
            srcObject: stream,
            autoplay: true,
            muted: true,
            playsInline: true,
        });
        const takePhoto = () => {
            encodePicture(video, [video.videoWidth, video.videoHeight], "image/jpeg").then(
                blob => take([new File([blob], "camera.jpg", {type: blob.type})]),
                () => say("The camera gave no picture. Try again, or choose a photo."),
            );
            dialog.close();
        };
        const shutter = createButton("Take the photo", takePhoto, {class: "primary", disabled: ""});
        const startTimer = () => countDown(timer, {isWanted: () => dialog.isConnected, act: takePhoto});
        const timer = createButton("Take it in 3 seconds", startTimer, {disabled: ""});
        const viewfinder = Object.assign(document.createElement("div"), {className: "viewfinder"});
        viewfinder.append(video);
        const guide = document.createElement("p");
        guide.textContent = "Face the light, with all of your hair inside the oval.";
        const dialog = openDialog(element, "Camera", [viewfinder, guide], stop);
        dialog.querySelector(".bar")?.prepend(shutter, timer);
        video.addEventListener("loadeddata", () => {
            shutter.disabled = timer.disabled = false;
            shutter.focus();
        });
    };
    return {choose: () => input.click(), openCamera};
}
