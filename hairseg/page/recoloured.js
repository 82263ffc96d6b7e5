// The photo and its recoloured picture, before and after in one frame.

Object.assign(hairseg, {
    compare(element, props, watch) {
        const frame = element.querySelector(".before-after"), slider = frame.querySelector("input");
        const tile = element.querySelector(".tile"), caption = element.querySelector(".said"), empty = element.querySelector(".empty");
        const [original, recoloured] = ["#original", "#recoloured"].map(id => frame.querySelector(id));
        const reset = () => {
            hairseg.fill(original, null);
            hairseg.fill(recoloured, null);
            frame.classList.add("is-empty");
            frame.classList.remove("is-new");
            slider.disabled = true;
            caption.textContent = "";
            empty.textContent = hairseg.photo ? hairseg.SENDING : "Your hair in another colour, once there is a photo";
            hairseg.came(tile, null);
        };
        hairseg.resets.push(reset);
        reset();
        const cut = () => frame.style.setProperty("--cut", slider.value / 100);
        slider.addEventListener("input", cut);
        element.querySelector("#large-button").addEventListener("click", () => {
            const large = frame.cloneNode(true), [range] = large.getElementsByTagName("input"), img = recoloured.querySelector("img");
            large.className = "before-after";
            large.style = `--cut: ${slider.value / 100}; --aside: 0px; --ratio: ${img.naturalWidth / img.naturalHeight}`;
            large.querySelector("canvas").remove();
            for (const part of large.children) part.removeAttribute("id");
            range.value = slider.value;
            range.addEventListener("input", () => large.style.setProperty("--cut", range.value / 100));
            hairseg.dialog(img.alt, large);
        });
        frame.addEventListener("animationend", () => frame.classList.remove("is-new"));  // or another tab's end would begin it anew
        const measure = () => {  // where the picture lies in its frame
            const {naturalWidth, naturalHeight} = original.querySelector("img") || {};
            if (!naturalWidth) return;
            const {clientWidth, clientHeight} = frame, width = naturalWidth * Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
            frame.style.setProperty("--aside", `${(clientWidth - width) / 2}px`);
            frame.classList.toggle("is-narrow", width < 170);
        };
        original.addEventListener("load", measure, true);
        new ResizeObserver(measure).observe(frame);
        const settle = hairseg.touchUp(element, frame);
        let latest = 0;  // number of the request whose result is shown
        const arrived = ({edit, middle, bald, asked}) => {
            if (frame.classList.contains("is-empty")) {  // the new colour begins in the middle of the hair, wherever that is
                slider.value = Math.round(100 * Math.min(0.9, Math.max(0.1, middle)));
                cut();
                frame.classList.add("is-new");
            }
            frame.classList.remove("is-empty");
            hairseg.photo.shown = edit;
            settle();
            slider.disabled = false;
            empty.textContent = "";
            hairseg.came(tile, asked);
            caption.textContent = bald ? `This mask finds ${bald} hair in the photo. Touch up adds some by hand.` : "";
            hairseg.say(hairseg.photo.said);
            hairseg.photo.said = "";
            hairseg.stage("done");
        };
        const show = () => {
            const value = props.value;
            if (!hairseg.isPresent(value)) return false;
            if (value.error) hairseg.came(tile, value.asked);
            if (hairseg.failed(value) || value.edit !== hairseg.photo.edit || value.asked < latest) return false;
            latest = value.asked;
            const colour = value.colour.replace(/-/g, " ");
            hairseg.shown(value.shown);
            Promise.all([
                hairseg.fill(original, hairseg.url(value.shown), "Your photo as it is"),
                hairseg.fill(recoloured, hairseg.url(value.src), `Your photo with ${colour} hair`),
            ]).then(() => value.asked === latest && hairseg.isPresent(value) && arrived(value));
            return true;
        };
        hairseg.shows.push(show);
        watch("value", show);
    },
});
