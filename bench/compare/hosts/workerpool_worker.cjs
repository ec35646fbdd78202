require("workerpool").worker({ echo: (payload) => payload });
