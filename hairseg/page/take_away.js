// What can be taken away: files of the photo's own size, made when asked for.

Object.assign(hairseg, {
    taking(kind, inputs) {
        const button = document.getElementById(`${kind}-button`);
        if (!hairseg.photo) hairseg.say("There is no photo yet: choose one first.");
        else button.setAttribute("aria-busy", "true");
        return hairseg.numbered(inputs, [button]);
    },

    takeAgain() {
        for (const button of document.querySelectorAll("[aria-busy=true]")) button.click();
    },

    delivery(element, props, watch) {
        const free = which => {
            for (const button of document.querySelectorAll(`[aria-busy=true]${which}`)) button.removeAttribute("aria-busy");
        };
        hairseg.resets.push(() => free(""));
        watch("value", () => {
            const value = props.value;
            free(`[data-asked="${value.asked}"]`);
            hairseg.messages.reached();
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
