// What can be taken away: files of the photo's own size, made when asked for.

Object.assign(hairseg, {
    taking(kind, inputs) {
        if (!hairseg.photo) hairseg.say("There is no photo yet: choose one first.");
        else document.getElementById(`${kind}-button`)?.setAttribute("aria-busy", "true");
        return inputs;
    },

    notTaking() {  // any more; gives the buttons that it was
        const buttons = [...document.querySelectorAll("[aria-busy=true]")];
        for (const button of buttons) button.removeAttribute("aria-busy");
        return buttons;
    },

    takeAgain() {
        for (const button of hairseg.notTaking()) button.click();
    },

    delivery(element, props, watch) {
        hairseg.resets.push(hairseg.notTaking);
        watch("value", () => {
            hairseg.notTaking();
            hairseg.messages.reached();
            const value = props.value;
            if (!hairseg.isPresent(value)) return;
            if (value.gone) return hairseg.photoInput.renew();
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
            place.append("On its way …");
            img.addEventListener("load", () => place.replaceChildren(img));
            link.textContent = "Download";
            hairseg.dialog(value.name, place, null, link);
        });
    },
});
