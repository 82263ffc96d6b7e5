// Both variants' masks with their captions, and what the server tells of its networks.

Object.assign(hairseg, {
    mask(element, props, watch) {
        const picture = element.querySelector("button.picture"), caption = element.querySelector("figcaption");
        const id = element.closest("#random-mask") ? "random" : "pretrained";
        const title = id === "random" ? "Trained from random weights" : "Fine-tuned from pretrained weights";
        const describe = (...texts) => caption.replaceChildren(...texts.map(([text, name]) => {
            return Object.assign(document.createElement("span"), {textContent: text, className: name || ""});
        }));
        const tile = element.querySelector(".tile"), empty = element.querySelector(".empty");
        let value = null;  // what is shown
        const found = () => value.bald ? `${value.bald} hair found` : `calls ${hairseg.share(value.share)} of this picture hair`;
        const explain = () => {
            if (!value) return;
            const auroc = hairseg.scores[value.model]?.[id], score = auroc ? ` · AUROC ${auroc} on test photos` : "";
            const striped = value.alone ? ` · striped: ${hairseg.share(value.alone)}, hair by this network alone` : "";
            const alone = value.view.startsWith("Where") && value.share ? `${striped} · grey: hair by both` : striped;
            describe([title.replace(" weights", "")], [" weights", "longer"], [score, "score"], [` · ${found()}`], [alone]);
        };
        const reset = () => {
            value = null;
            hairseg.fill(picture, null);
            picture.disabled = true;
            picture.setAttribute("aria-label", `${title}: no picture yet`);
            describe([title]);
            empty.textContent = hairseg.photo ? hairseg.SENDING : "";
            hairseg.came(tile, null);
        };
        let latest = 0;  // number of the request whose result is shown
        hairseg.resets.push(reset);
        hairseg.explanations.push(explain);
        reset();
        picture.addEventListener("click", () => hairseg.enlarge(picture.querySelector("img")));
        const show = () => {
            const answer = props.value;
            if (!hairseg.isPresent(answer)) return false;
            if (answer.error) hairseg.came(tile, answer.asked);
            if (hairseg.failed(answer) || answer.asked < latest) return false;
            value = answer;
            latest = value.asked;
            explain();
            hairseg.shown(value.shown);
            hairseg.fill(picture, hairseg.url(value.src), `${title}, ${value.view.toLowerCase()}: ${found()}`).then(() => {
                if (value !== answer) return;
                picture.disabled = false;
                picture.setAttribute("aria-label", `Open large: ${title}`);
                empty.textContent = "";
                hairseg.came(tile, answer.asked);
            });
            return true;
        };
        hairseg.shows.push(show);
        watch("value", show);
    },

    scores: {},  // AUROC on test photos, by model and variant

    explanations: [],  // write the captions anew

    askNetworks() {},  // have it told again

    networks(element, props, watch, trigger) {  // what the server tells of its networks once they are loaded
        hairseg.askNetworks = () => trigger("submit");
        watch("value", () => {
            const {scores, error} = props.value;
            if (scores) hairseg.scores = scores;
            if (error) hairseg.say(error);
            else hairseg.messages.reached();
            for (const explain of hairseg.explanations) explain();
            element.querySelector("[role=status]").textContent = "";
        });
    },
});
