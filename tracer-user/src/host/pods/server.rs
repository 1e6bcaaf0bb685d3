//! Which API server is asked, and as whom.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use kube::{
    Client, Config,
    client::{ClientBuilder, DynBody},
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::runtime::{Builder, Runtime};
use tower::util::MapResponseLayer;

/// A server that sends nothing for so long is gone. It ends each watch sooner than that.
const SILENCE: Duration = Duration::from_mins(5);

/// What an answer is called among the layers of a client.
type Response = http::Response<Box<DynBody>>;

/// The API server, before it is asked.
pub struct Server {
    config: Config,
    /// Where it is asked: on one thread.
    runtime: Runtime,
}

impl Server {
    /// The one that `KUBECONFIG` names; without it, that of the pod in which this process runs.
    ///
    /// # Errors
    /// If there is none, or it cannot be asked as it is to be.
    pub fn of_environment() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot ask an API server")?;
        let mut config = match Kubeconfig::from_env().context("KUBECONFIG")? {
            Some(kubeconfig) => runtime
                .block_on(of_kubeconfig(kubeconfig))
                .context("KUBECONFIG")?,
            None => Config::incluster().context(
                "no API server: KUBECONFIG is not set, and this is no pod with a service account",
            )?,
        };
        config.read_timeout = Some(SILENCE);
        // Whoever follows the list tries again, and says so.
        config.default_retry = false;
        // None of the environment.
        config.proxy_url = None;
        Ok(Self { config, runtime })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.config.cluster_url.to_string()
    }

    /// Who asks it, and where. `taken` hears of each request that it takes.
    ///
    /// # Errors
    /// If its certificate or this one's token cannot be used.
    pub fn client(
        self,
        taken: impl Fn() + Clone + Send + 'static,
    ) -> anyhow::Result<(Client, Runtime)> {
        let url = self.url();
        let hear = move |response: Response| {
            if response.status().is_success() {
                taken();
            }
            response
        };
        let within = self.runtime.enter();
        let client = ClientBuilder::try_from(self.config)
            .with_context(|| format!("cannot ask the API server {url}"))?
            .with_layer(&MapResponseLayer::new(hear))
            .build();
        drop(within);
        Ok((client, self.runtime))
    }
}

async fn of_kubeconfig(kubeconfig: Kubeconfig) -> anyhow::Result<Config> {
    let clusters = kubeconfig.clusters.iter();
    let mut clusters = clusters.filter_map(|named| named.cluster.as_ref());
    ensure!(
        clusters.all(|cluster| cluster.proxy_url.is_none()),
        "proxy-url: an API server is not asked through others"
    );
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let user = &config.auth_info;
    ensure!(
        user.exec.is_none() && user.auth_provider.is_none(),
        "exec, auth-provider: conntracer executes nothing to say who it is; a token or a certificate does"
    );
    Ok(config)
}
