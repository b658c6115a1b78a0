{#- A view: only monitoring asks for it, and only for the days that it watches. -#}
{{ config(materialized='view') }}
{%- set remembered_days = 28 %}

with views as (

    select
        page_views.person_id,
        {{ site_date('page_views.viewed_at') }} as date,
        coalesce(items.category, '') as category
    from {{ ref('int_page_views') }} as page_views
    left join {{ ref('item_topics') }} as items on page_views.item_id = items.item_id
    where
        page_views.item_id is not null
        and {{ counts_in_marts() }}
        and page_views.viewed_at > {{ watch_begins() }} - interval '{{ remembered_days }}' day

),

days_of_people as (

    select
        person_id,
        date,
        category,
        count(*) as views
    from views
    group by person_id, date, category

),

days_of_people_with_memory as (

    select
        person_id,
        date,
        category,
        views,
        count(*) over (
            partition by person_id, category order by date
            range between interval '{{ remembered_days }}' day preceding and interval '1' day preceding
        ) > 0 as is_familiar,
        count(*) over (
            partition by person_id order by date
            range between interval '{{ remembered_days }}' day preceding and interval '1' day preceding
        ) > 0 as is_returning
    from days_of_people

),

category_days as (

    select
        date,
        category,
        case when is_returning then 'returning' else 'new' end as audience,
        cast(sum(views) as bigint) as views,
        cast(sum(case when is_familiar then views else 0 end) as bigint) as familiar_views,
        count(distinct person_id) as viewers
    from days_of_people_with_memory
    group by date, category, is_returning

)

{#- Before a site has a memory of so many days, hardly anybody returns and little is familiar. #}
select * from category_days
where
    date > cast({{ watch_begins() }} as date)
    and date >= (select min(views.date) from views) + interval '{{ remembered_days }}' day
