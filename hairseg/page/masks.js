// Both variants' masks with their captions, and what the server tells of its networks.

Object.assign(hairseg, {
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
        let latest = 0;  // number of the request whose result is shown
        hairseg.resets.push(reset);
        reset();
        picture.addEventListener("click", () => hairseg.enlarge(picture.querySelector("img")));
        watch("value", () => {
            const value = props.value;
            if (!hairseg.isPresent(value) || hairseg.failed(value) || value.asked < latest) return;
            latest = value.asked;
            const auroc = hairseg.scores[value.model]?.[id], score = auroc ? ` · AUROC ${auroc} on test photos` : "";
            const found = value.bald ? `${value.share ? "hardly any" : "no"} hair found` : `calls ${hairseg.share(value.share)} of this picture hair`;
            const alone = value.view.startsWith("Where") && (value.share || value.alone)
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
});
