// The choice among several models: the present photo is looked at again.

Object.assign(hairseg, {
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
});
